"""Prompts that are too long for a server which speaks the caller's format: refused so that the client acts upon it."""

import json
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import gateway, upstream, whole

from claude_gateway.contract.target import Format, Wire

# As real servers answer: llama.cpp, vLLM and SGLang on Messages; Chat Completions and Responses of llama.cpp.
_LLAMA = "request (6021 tokens) exceeds the available context size (4096 tokens), try increasing it"
_LLAMA_FIELDS = {"code": 400, "message": _LLAMA, "type": "exceed_context_size_error", "n_ctx": 4096}
_VLLM = "Input length (121079) exceeds model's maximum context length (120000)."
_KIMI = "Your request exceeded model token limit"
_PATHS = {
    Format.MESSAGES: "/v1/messages",
    Format.CHAT: "/v1/chat/completions",
    Format.RESPONSES: "/v1/responses",
}


async def _refused(said: bytes, format: Format, *, status: str = "400 Bad") -> tuple[int, bytes]:
    wire = Wire.ANTHROPIC if format is Format.MESSAGES else Wire.OPENAI
    async with upstream(whole(said, status=status)) as up:
        there = target(wire=wire, base_url=up.url, model="*", formats=(format,))
        async with gateway(route("m", targets=[there])) as gw:
            body: dict[str, Any] = {"model": "m", "max_tokens": 9, "stream": True, "messages": [], "input": "x"}
            answer = await gw.post(_PATHS[format], body)
            return answer.status, await answer.read()


@pytest.mark.parametrize("status", ["400 Bad", "413 Large", "422 Unprocessable"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"type": "error", "error": _LLAMA_FIELDS}, "prompt is too long: 6021 tokens > 4096 maximum"),
        ({"error": _LLAMA_FIELDS}, "prompt is too long: 6021 tokens > 4096 maximum"),
        (
            {"type": "error", "error": {"type": "BadRequestError", "message": _VLLM}},
            "prompt is too long: 121079 tokens > 120000 maximum",
        ),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": _KIMI}},
            f"prompt is too long: {_KIMI}",
        ),
        ({"detail": _VLLM}, "prompt is too long: 121079 tokens > 120000 maximum"),
    ],
    ids=["llama.cpp", "no envelope", "vLLM", "without numbers", "FastAPI"],
)
async def test_claude_code_reads_the_words_at_which_it_compacts(error: object, words: str, status: str) -> None:
    code, body = await _refused(json.dumps(error).encode(), Format.MESSAGES, status=status)
    document = json.loads(body)
    assert (code, document["type"], document["error"]["type"]) == (400, "error", "invalid_request_error")
    assert document["error"]["message"] == words


@pytest.mark.parametrize("format", [Format.CHAT, Format.RESPONSES])
async def test_clients_of_openais_formats_read_the_code_at_which_they_compact(format: Format) -> None:
    code, body = await _refused(json.dumps({"error": _LLAMA_FIELDS}).encode(), format)
    error = json.loads(body)["error"]
    assert (code, error["code"], error["message"]) == (400, "context_length_exceeded", _LLAMA)


@pytest.mark.parametrize(
    ("format", "said"),
    [
        (Format.MESSAGES, b'{"type":"error", "error":{"type":"invalid_request_error","message":"temperature: 2 > 1"}}'),
        # Claude Code lowers max_tokens by itself at these words.
        (
            Format.MESSAGES,
            b'{"type":"error", "error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed '
            b'context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}',
        ),
        (Format.CHAT, b'{"error": {"message":"too long","code":"context_length_exceeded", "context length":1}}'),
        (Format.CHAT, b'{"error": {"message":"bad parameter","code":"x"}}'),
    ],
    ids=["another fault", "output", "known code", "another fault of Chat"],
)
async def test_other_refusals_are_not_touched(format: Format, said: bytes) -> None:
    assert await _refused(said, format) == (400, said)
