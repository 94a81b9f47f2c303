"""Targets, answers and requests of the codec lane's tests: Messages for a server with Chat Completions."""

import json
from typing import Any

from tests.support.builders.bundles import target
from tests.support.processes.inprocess import Gateway

from claude_gateway.contract.target import Format, Target, Translation, Wire

CODEC = (Format.MESSAGES, Format.COUNT_TOKENS)
CHAT = Translation(codec=CODEC)
ASKED: dict[str, Any] = {"model": "claude-x", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}


def codec_target(url: str, translation: Translation = CHAT, **more: Any) -> Target:
    return target(wire=Wire.OPENAI, base_url=f"{url}/v1", translation=translation, **more)


def chat_chunk(delta: dict[str, Any], **more: object) -> bytes:
    document = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **more}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}}\n\n'
STREAM = (
    chat_chunk({"role": "assistant", "content": ""}),
    chat_chunk({"content": "Hel"}),
    chat_chunk({"content": "lo"}),
    chat_chunk({}, finish_reason="stop"),
    USAGE,
    b"data: [DONE]\n\n",
)
WHOLE = {
    "id": "c",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 5},
}


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text_delta")


async def ask(gw: Gateway, *, path: str = "/v1/messages", **more: object) -> tuple[int, bytes]:
    answer = await gw.post(path, {**ASKED, **more})
    return answer.status, await answer.read()
