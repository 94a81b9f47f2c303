"""Streams that stop before their end, in a format that only LiteLLM reads."""

import json
from typing import Any

import httpx
import pytest
from tests.support.processes.worker import Worker, bundle, deployment, events

from claude_gateway_scripted.local import Scripted

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]


def gemini(text: str, **more: str) -> str:
    """One event of Gemini's stream."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    return f"data: {json.dumps({'candidates': [candidate]})}\r\n\r\n"


def gemini_call() -> str:
    """A tool call, which Gemini sends in one piece."""
    part = {"functionCall": {"name": "look", "args": {"city": "Paris"}}}
    return f"data: {json.dumps({'candidates': [{'content': {'role': 'model', 'parts': [part]}, 'index': 0}]})}\r\n\r\n"


CUT = {
    "text": [gemini("a b"), gemini(" c")],
    "after a call": [gemini("a b"), gemini_call()],
    "failed": [gemini("a b"), gemini(" c", finishReason="MALFORMED_FUNCTION_CALL")],
}
WHOLE = {
    "text": [gemini("a b"), gemini(" c", finishReason="STOP")],
    "too long": [gemini("a b"), gemini(" c", finishReason="MAX_TOKENS")],
}


def ask(worker: Worker, upstream: Scripted, raw: list[str], *, path: str) -> httpx.Response:
    """Send a request whose answer consists of these events."""
    worker.apply(bundle(deployment("raw", "gemini/gemini-2.5-pro", api_base=f"{upstream.url}/v1beta")))
    upstream.script({"raw": raw, "headers": {"content-type": "text/event-stream"}})
    return worker.post(path, "raw", {"max_tokens": 50, "messages": HELLO, "stream": True})


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("name", CUT)
def test_a_stream_without_its_end_fails(worker: Worker, upstream: Scripted, name: str, path: str) -> None:
    try:
        answer = ask(worker, upstream, CUT[name], path=path)
    except httpx.RemoteProtocolError:
        return
    assert answer.status_code == 502, answer.text


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_stream_is_an_answer(worker: Worker, upstream: Scripted, name: str) -> None:
    answer = ask(worker, upstream, WHOLE[name], path="/v1/messages")
    assert answer.status_code == 200, answer.text
    said = "".join(data["delta"].get("text", "") for kind, data in events(answer.text) if kind == "content_block_delta")
    assert said == "a b c"
    assert events(answer.text)[-1][0] == "message_stop"
