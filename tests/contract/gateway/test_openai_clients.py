"""OpenAI's clients of Claude models over real sockets: on every Claude wire, streamed and whole."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Upstream, chunk, gateway, head, stream, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Aws, Format, Target, Translation, Wire
from claude_gateway_proxy.gateway.wire.eventstream import encode

_KEY = b"sk-ant-upstream"
_ENTRY = secret_entry("ns.key", _KEY)
_BEARER = b'{"bearerToken": "aws-bearer"}'
_BEARER_ENTRY = secret_entry("ns.bearer", _BEARER)
_CODEC = Translation(codec=(Format.CHAT, Format.RESPONSES))
_ID = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_HI = [{"role": "user", "content": "hi"}]
_CHAT: dict[str, Any] = {"model": "claude-sonnet-4-5", "messages": _HI}
_RESPONSES: dict[str, Any] = {"model": "claude-sonnet-4-5", "input": "hi"}
_USAGE = {"input_tokens": 11, "cache_read_input_tokens": 4, "output_tokens": 5}
_MESSAGE = {
    "type": "message",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": _USAGE,
}
_DOCUMENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": _USAGE},
    {"type": "message_stop"},
]
_OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


def _event(document: dict[str, Any]) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()


_EVENTS = tuple(map(_event, _DOCUMENTS))


def _there(url: str, **more: Any) -> Target:
    return target(base_url=url, model="*", translation=_CODEC, secret=_ENTRY, **more)


def _bedrock(url: str) -> Target:
    place = {"aws": Aws(region="us-east-1"), "secret": _BEARER_ENTRY}
    return target(wire=Wire.BEDROCK, base_url=url, model=_ID, translation=_CODEC, **place)


def _openai(url: str) -> Target:
    return target(wire=Wire.OPENAI, base_url=url, model="*")


@asynccontextmanager
async def served(*replies: Reply) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway whose only route leads to Anthropic."""
    secrets = {_ENTRY: _KEY}
    async with upstream(*replies) as up, gateway(route("*", targets=[_there(up.url)]), secrets=secrets) as gw:
        yield gw, up


@asynccontextmanager
async def at_bedrock(*replies: Reply) -> AsyncIterator[tuple[Gateway, Upstream]]:
    """A gateway whose only route leads to Bedrock."""
    secrets = {_BEARER_ENTRY: _BEARER}
    async with upstream(*replies) as up, gateway(route("*", targets=[_bedrock(up.url)]), secrets=secrets) as gw:
        yield gw, up


async def _status(gw: Gateway, path: str, body: Any) -> int:
    answer = await gw.post(path, body)
    await answer.read()
    return answer.status


def _data(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def test_a_whole_answer_is_a_chat_completion() -> None:
    async with served(whole(json.dumps(_MESSAGE).encode(), headers="request-id: up-1\r\n")) as (gw, up):
        answer = await gw.post("/v1/chat/completions", {**_CHAT, "reasoning_effort": "low"})
        found = await answer.json()
        (record,) = await gw.records()
    assert found["choices"][0]["message"]["content"] == "Hello"
    assert found["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert answer.headers["x-request-id"] == "up-1"
    assert (record["lane"], record["input_tokens"], record["cache_read_tokens"], record["output_tokens"]) == (
        "codec",
        11,
        4,
        5,
    )
    seen = up.seen[0]
    assert (seen.target, seen.header("x-api-key"), seen.header("authorization")) == (
        "/v1/messages",
        _KEY.decode(),
        None,
    )
    assert seen.header("anthropic-version") == "2023-06-01"
    sent = json.loads(seen.body)
    assert (sent["model"], sent["max_tokens"], sent["thinking"]["type"]) == ("claude-sonnet-4-5", 64_000, "enabled")


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_stream_is_a_stream_however_it_is_cut(size: int) -> None:
    text = b"".join(_EVENTS)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    async with served(stream(*pieces)) as (gw, _):
        answer = await gw.post("/v1/chat/completions", {**_CHAT, "stream": True})
        body = await answer.read()
        (record,) = await gw.records()
    chunks = _data(body)
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in chunks) == "Hello"
    assert body.endswith(b"data: [DONE]\n\n")
    assert (record["outcome"], record["input_tokens"], record["output_tokens"]) == ("ok", 11, 5)


async def test_a_stream_of_responses_is_numbered_to_its_end() -> None:
    async with served(stream(*_EVENTS)) as (gw, _):
        answer = await gw.post("/v1/responses", {**_RESPONSES, "stream": True})
        events = _data(await answer.read())
        (record,) = await gw.records()
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"
    assert (record["input_tokens"], record["cache_read_tokens"], record["output_tokens"]) == (11, 4, 5)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_bedrock_answers_openais_clients(path: str, streamed: bool) -> None:
    def frame(document: dict[str, Any]) -> bytes:
        payload = {"bytes": base64.b64encode(json.dumps(document).encode()).decode()}
        return encode({":event-type": "chunk", ":message-type": "event"}, json.dumps(payload).encode())

    async def frames(_: Any, writer: Any) -> None:
        writer.write(head(kind="application/vnd.amazon.eventstream"))
        writer.write(b"".join(chunk(frame(each)) for each in _DOCUMENTS) + chunk(b""))

    reply = frames if streamed else whole(json.dumps(_MESSAGE).encode())
    async with at_bedrock(reply) as (gw, up):
        asked = _CHAT if "chat" in path else _RESPONSES
        body = await (await gw.post(path, {**asked, "stream": streamed})).read()
    assert b"Hel" in body
    verb = "invoke-with-response-stream" if streamed else "invoke"
    assert up.seen[0].target == f"/model/{_ID.replace(':', '%3A')}/{verb}"
    sent = json.loads(up.seen[0].body)
    assert (sent["anthropic_version"], sent["max_tokens"]) == ("bedrock-2023-05-31", 64_000)
    assert not {"model", "stream"} & sent.keys()


async def test_what_a_wire_does_not_have_is_rejected_before_anybody_is_asked() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    async with at_bedrock() as (gw, up):
        refused: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": [image]}]}]
        for more in (*refused, {"web_search_options": {}}, {"n": 2}):
            answer = await gw.post("/v1/chat/completions", {**_CHAT, **more})
            error = (await answer.json())["error"]
            assert (answer.status, error["type"]) == (400, "invalid_request_error")
            assert "not supported" in error["message"] or "data: URLs" in error["message"]
        assert up.seen == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_an_error_at_the_start_of_a_stream_is_an_error(path: str) -> None:
    async with served(stream(_EVENTS[0], _event(_OVERLOADED))) as (gw, _):
        answer = await gw.post(path, {**_CHAT, **_RESPONSES, "stream": True})
        assert answer.status == 529
        assert (await answer.json())["error"]["message"] == "busy"


async def test_an_error_in_the_middle_of_a_response_is_a_response_that_failed() -> None:
    arrived = asyncio.Event()

    async def reply(_: Any, writer: Any) -> None:
        writer.write(head() + b"".join(map(chunk, _EVENTS[:3])))
        await arrived.wait()
        writer.write(chunk(_event(_OVERLOADED)) + chunk(b""))

    async with served(reply) as (gw, _):
        answer = await gw.post("/v1/responses", {**_RESPONSES, "stream": True})
        first = await answer.content.readany()
        arrived.set()
        events = _data(first + await answer.read())
        (record,) = await gw.records()
    last = events[-1]
    assert (last["type"], last["sequence_number"]) == ("response.failed", len(events) - 1)
    assert last["response"]["error"] == {"code": "server_is_overloaded", "message": "busy"}
    assert record["outcome"] != "ok"


@pytest.mark.parametrize("most", [3, 5])
async def test_a_stream_that_is_cut_off_breaks(most: int) -> None:
    async with served(stream(*_EVENTS[:most], end=True)) as (gw, _):
        answer = await gw.post("/v1/chat/completions", {**_CHAT, "stream": True})
        with pytest.raises(ClientPayloadError):
            await answer.read()
        (record,) = await gw.records()
    assert record["outcome"] == "upstream_error"


async def test_an_upstreams_refusal_comes_in_openais_envelope() -> None:
    error = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"},
    }
    async with served(whole(json.dumps(error).encode(), status="400 Bad Request")) as (gw, _):
        answer = await gw.post("/v1/chat/completions", _CHAT)
        found = (await answer.json())["error"]
    assert (answer.status, found["type"], found["code"]) == (400, "invalid_request_error", "context_length_exceeded")


async def test_azures_deployment_is_the_model() -> None:
    async with served(whole(json.dumps(_MESSAGE).encode())) as (gw, up):
        path = "/openai/deployments/claude-opus-4-5/chat/completions?api-version=2024-10-21"
        for more in ({"model": "something else"}, {}):
            assert await _status(gw, path, {**more, "messages": _HI}) == 200
        assert [json.loads(seen.body)["model"] for seen in up.seen] == ["claude-opus-4-5"] * 2


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/v1/chat/completions/", "/openai/chat/completions"])
async def test_base_urls_of_every_habit_are_served(path: str) -> None:
    async with served(whole(json.dumps(_MESSAGE).encode())) as (gw, _):
        assert await _status(gw, path, _CHAT) == 200


async def test_embeddings_come_in_base64_from_a_server_without_it() -> None:
    numbers = {"object": "list", "data": [{"index": 0, "embedding": [0.5, -1.0]}], "usage": {"prompt_tokens": 2}}
    packed = base64.b64encode(b"\x00\x00\x00?\x00\x00\x80\xbf").decode()
    asked = {"model": "m", "input": "x", "encoding_format": "base64"}
    knows = {**numbers, "data": [{"index": 0, "embedding": packed}]}
    replies = [whole(json.dumps(each).encode()) for each in (numbers, knows, numbers)]
    async with upstream(*replies) as up, gateway(route("m", targets=[_openai(up.url)])) as gw:
        for _ in range(2):
            found = await (await gw.post("/v1/embeddings", asked)).json()
            assert found["data"] == [{"index": 0, "embedding": packed}]
        plain = await (await gw.post("/v1/embeddings", {"model": "m", "input": "x"})).read()
        assert json.loads(plain) == numbers
        assert all(record["input_tokens"] == 2 for record in await gw.records(3))


async def test_a_conversation_is_compacted_and_goes_on() -> None:
    summary = {**_MESSAGE, "content": [{"type": "text", "text": "They said hello."}]}
    async with served(*(whole(json.dumps(each).encode()) for each in (summary, _MESSAGE))) as (gw, up):
        past = [*_HI, {"role": "assistant", "content": "hello"}]
        answer = await gw.post("/v1/responses/compact", {**_RESPONSES, "input": past, "tools": []})
        found = await answer.json()
        assert (answer.status, found["object"]) == (200, "response.compaction")
        assert [item.get("role", item.get("type")) for item in found["output"]] == ["user", "compaction"]
        later = [*found["output"], {"role": "user", "content": "go on"}]
        assert await _status(gw, "/v1/responses", {**_RESPONSES, "input": later}) == 200
        asked, more = (json.loads(seen.body)["messages"] for seen in up.seen)
        streamed = {**_RESPONSES, "stream": True}
        assert await _status(gw, "/v1/responses/compact", streamed) == 400
    assert "Summarize" in asked[-1]["content"][-1]["text"]
    assert [block["text"] for block in more[0]["content"]][1:] == [
        "Summary of the conversation so far:\nThey said hello.",
        "go on",
    ]


async def test_an_incomplete_summary_is_none() -> None:
    async with served(whole(json.dumps({**_MESSAGE, "stop_reason": "max_tokens"}).encode())) as (gw, _):
        assert await _status(gw, "/v1/responses/compact", _RESPONSES) == 502


async def test_openai_compacts_its_own_conversations() -> None:
    async with upstream(whole(b"{}")) as up, gateway(route("m", targets=[_openai(up.url)])) as gw:
        assert await _status(gw, "/v1/responses/compact", {"model": "m", "input": "x"}) == 200
        assert up.seen[0].target == "/responses/compact"
