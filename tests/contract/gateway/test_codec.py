"""The codec lane over real sockets: Messages for servers with Chat Completions or Responses."""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Seen, chunk, gateway, head, stream, upstream, whole
from tests.support.processes.waiting import until_async

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Counting, Format, Target, Translation, Wire
from claude_gateway_proxy.gateway.wire.eventstream import Frames

_SECRET = b"sk-upstream"
_ENTRY = secret_entry("ns.key", _SECRET)
_CODEC = (Format.MESSAGES, Format.COUNT_TOKENS)
_CHAT = Translation(codec=_CODEC)
_RESPONSES = Translation(
    codec=_CODEC, messages=Format.RESPONSES, counting=Counting(format=Format.CHAT, path="/responses/input_tokens")
)
_ASKED: dict[str, Any] = {"model": "claude-x", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}


def _target(url: str, translation: Translation = _CHAT, **more: Any) -> Target:
    return target(wire=Wire.OPENAI, base_url=f"{url}/v1", translation=translation, **more)


def _chunk(delta: dict[str, Any], **more: object) -> bytes:
    document = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **more}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


_USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}}\n\n'
_STREAM = (
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "Hel"}),
    _chunk({"content": "lo"}),
    _chunk({}, finish_reason="stop"),
    _USAGE,
    b"data: [DONE]\n\n",
)
_WHOLE = {
    "id": "c",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 5},
}


def _events(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]


def _text(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text_delta")


async def _ask(gw: Gateway, *, path: str = "/v1/messages", **more: object) -> tuple[int, bytes]:
    answer = await gw.post(path, {**_ASKED, **more})
    return answer.status, await answer.read()


async def test_a_whole_answer_of_chat_completions_is_a_message() -> None:
    async with upstream(whole(json.dumps(_WHOLE).encode(), headers="x-request-id: up-1\r\n")) as up:
        there = _target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages", _ASKED)
            message = await answer.json()
            assert answer.headers["request-id"] == "up-1"
            record = (await gw.records())[0]
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["type"], message["stop_reason"], message["model"]) == ("message", "end_turn", "claude-x")
    assert message["usage"]["input_tokens"] == 11
    assert (record["lane"], record["input_tokens"], record["output_tokens"]) == ("codec", 11, 5)
    seen = up.seen[0]
    assert seen.target == "/v1/chat/completions"
    assert seen.header("authorization") == "Bearer sk-upstream"
    assert seen.header("x-api-key") is None
    sent = json.loads(seen.body)
    assert sent == {"model": "upstream-model", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}


async def test_a_stream_of_chat_completions_is_a_stream_of_messages() -> None:
    async with upstream(stream(*_STREAM)) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, body = await _ask(gw, stream=True)
        record = (await gw.records())[0]
        await _ask(gw, stream=True)
        connections = up.open
    events = _events(body)
    assert (status, _text(events)) == (200, "Hello")
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert (record["outcome"], record["input_tokens"], record["output_tokens"]) == ("ok", 11, 5)
    assert json.loads(up.seen[0].body)["stream_options"] == {"include_usage": True}
    assert connections == 1, "the connection is used again"


async def test_any_cut_of_the_stream_gives_the_same_events() -> None:
    bytes_of = b"".join(_STREAM)
    async with (
        upstream(stream(*(bytes_of[at : at + 7] for at in range(0, len(bytes_of), 7)))) as up,
        gateway(route("claude-x", targets=[_target(up.url)])) as gw,
    ):
        assert _text(_events((await _ask(gw, stream=True))[1])) == "Hello"


async def test_an_upstream_that_fails_is_followed_by_the_next() -> None:
    async with (
        upstream(whole(b'{"error":{"message":"busy"}}', status="529 Overloaded")) as bad,
        upstream(stream(b'data: {"error":{"message":"sorry"}}\n\n')) as worse,
        upstream(stream(*_STREAM)) as good,
    ):
        targets = [_target(bad.url), _target(worse.url, priority=1), _target(good.url, priority=2)]
        async with gateway(route("claude-x", targets=targets)) as gw:
            status, body = await _ask(gw, stream=True)
            record = (await gw.records())[0]
    assert (status, _text(_events(body))) == (200, "Hello")
    assert record["attempts"] == 3
    assert [each.partition(": ")[2] for each in record["upstream_errors"]] == ["overloaded", "status"]


@pytest.mark.parametrize(("status", "expected"), [("529 Overloaded", 529), ("429 Too Many", 429), ("401 No", 502)])
async def test_an_error_keeps_its_status_and_its_words_in_the_callers_envelope(status: str, expected: int) -> None:
    body = json.dumps({"error": {"message": "no, not with sk-upstream", "type": "x", "code": "y"}}).encode()
    reply = whole(body, status=status, headers="content-type: application/json\r\nretry-after: 7\r\n")
    async with upstream(reply) as up:
        there = _target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages", _ASKED)
            document = await answer.json()
    assert answer.status == expected
    assert document["type"] == "error"
    assert "sk-upstream" not in json.dumps(document)
    assert expected == 502 or answer.headers["retry-after"] == "7"


async def test_a_stream_that_breaks_off_breaks_off_for_the_client_too() -> None:
    async def breaks(_: Seen, writer: Any) -> None:
        writer.write(head() + chunk(_STREAM[0]) + chunk(_STREAM[1]))
        await writer.drain()
        writer.transport.abort()

    async with upstream(breaks) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        with pytest.raises(ClientPayloadError):
            await answer.read()
        assert (await gw.records())[0]["upstream_errors"] == [f"{_target(up.url).id}: broken"]


@pytest.mark.parametrize("last", [_STREAM[2], _STREAM[2] + _STREAM[5]], ids=["nothing", "[DONE]"])
async def test_the_end_of_a_stream_without_a_finish_reason_is_no_end(last: bytes) -> None:
    begun = asyncio.Event()

    async def cut(_: Seen, writer: Any) -> None:
        writer.write(head() + chunk(_STREAM[1]))
        await begun.wait()
        # The last text and the end in one read: the text is sent, and then the stream must not end as if all were well.
        writer.write(chunk(last) + chunk(b""))

    async with upstream(cut) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        await answer.content.readuntil(b"Hel")
        begun.set()
        with pytest.raises(ClientPayloadError):
            await answer.read()
        assert (await gw.records())[0]["upstream_errors"] == [f"{_target(up.url).id}: broken"]


async def test_messages_are_sent_to_openai_as_responses() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]
    usage = {"input_tokens": 3, "output_tokens": 2}
    document = {"id": "r", "object": "response", "status": "completed", "output": output, "usage": usage}
    async with (
        upstream(whole(json.dumps(document).encode())) as up,
        gateway(route("claude-x", targets=[_target(up.url, _RESPONSES)])) as gw,
    ):
        status, body = await _ask(gw)
    assert status == 200
    assert json.loads(body)["content"] == [{"type": "text", "text": "Hello"}]
    assert up.seen[0].target == "/v1/responses"
    assert json.loads(up.seen[0].body)["store"] is False


async def test_tokens_are_counted_by_the_provider_that_can() -> None:
    async with (
        upstream(whole(b'{"object":"response.input_tokens","input_tokens":42}')) as up,
        gateway(route("claude-x", targets=[_target(up.url, _RESPONSES)])) as gw,
    ):
        assert await _ask(gw, path="/v1/messages/count_tokens") == (200, b'{"input_tokens":42}')
    assert up.seen[0].target == "/v1/responses/input_tokens"
    assert set(json.loads(up.seen[0].body)) == {"model", "input"}


@pytest.mark.parametrize("counts", ["Exact", "Estimate"])
async def test_tokens_are_estimated_where_no_one_can_count_and_the_route_allows_it(counts: str) -> None:
    async with upstream(whole(b"{}")) as up:
        there = route("claude-x", targets=[_target(up.url)], estimate_tokens=counts == "Estimate")
        async with gateway(there) as gw:
            answer = await gw.post("/v1/messages/count_tokens", _ASKED)
            assert answer.status == (501 if counts == "Exact" else 200)
            assert answer.headers.get("x-token-count") == (None if counts == "Exact" else "estimate")
    assert up.seen == []


async def _held(_: Seen, writer: Any) -> None:
    writer.write(head() + chunk(_STREAM[0]) + chunk(_STREAM[1]))


async def test_a_client_that_leaves_takes_the_upstreams_work_with_it() -> None:
    async with upstream(_held) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        assert b"Hel" in await answer.content.readany()
        answer.close()
        await until_async(lambda: _is(up.open, 0), what="the upstream's connection to be closed")
        (record,) = await gw.records()
    assert (record["outcome"], record["status"]) == ("cancelled", 200)


async def _is(count: int, wanted: int) -> bool:
    return count == wanted


async def test_a_silent_upstream_gets_the_client_pings() -> None:
    async with (
        upstream(_held) as up,
        gateway(route("claude-x", targets=[_target(up.url)]), ping_seconds=0.05) as gw,
    ):
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        got = b""
        while got.count(b"event: ping") < 2:
            got += await answer.content.readany()
        answer.close()
    assert got.startswith(b"event: message_start")


async def test_an_upstream_that_does_not_end_its_body_does_not_hold_the_client() -> None:
    async def unended(_: Seen, writer: Any) -> None:
        writer.write(head() + b"".join(map(chunk, _STREAM)))

    async with upstream(unended) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, body = await _ask(gw, stream=True)
        await until_async(lambda: _is(up.open, 0), what="the upstream's connection to be closed")
    assert (status, _text(_events(body))) == (200, "Hello")


async def test_a_client_that_does_not_read_holds_the_upstream_back() -> None:
    sent = 0

    async def endless(_: Seen, writer: Any) -> None:
        nonlocal sent
        writer.write(head() + chunk(_STREAM[0]))
        piece = chunk(_chunk({"content": "x" * 1000}) * 50)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async with upstream(endless) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        await _still(lambda: sent)
        answer.close()
        await gw.idle()
    assert sent < 64 * 2**20


async def _still(value: Callable[[], int]) -> None:
    """Wait until a number does not grow any more."""
    before = -1
    while before != value():
        before = value()
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
async def test_a_compressed_answer_is_read(coding: str, asked: bool) -> None:
    body = b"".join(_STREAM) if asked else json.dumps(_WHOLE).encode()
    window = {"gzip": 31, "deflate": 15, "raw": -15}[coding]
    packer = zlib.compressobj(wbits=window)
    packed = packer.compress(body) + packer.flush()
    name = "gzip" if coding == "gzip" else "deflate"
    kind = "text/event-stream" if asked else "application/json"
    reply = whole(packed, headers=f"content-type: {kind}\r\ncontent-encoding: {name}\r\n")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, got = await _ask(gw, stream=asked)
    assert status == 200
    assert (_text(_events(got)) if asked else json.loads(got)["content"][0]["text"]) == "Hello"
    assert up.seen[0].header("accept-encoding") == "identity"


_BOMB = gzip.compress(b'{"choices":[{"message":{"content":"' + b"x" * (64 * 2**20))


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("body", "coding"), [(_BOMB, "gzip"), (b"no gzip at all", "gzip"), (b"{}", "br")], ids=["bomb", "broken", "unknown"]
)
async def test_an_answer_that_cannot_be_read_is_a_failure(body: bytes, coding: str, asked: bool) -> None:
    reply = whole(body, headers=f"content-type: application/json\r\ncontent-encoding: {coding}\r\n")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, got = await _ask(gw, stream=asked)
    assert (status, json.loads(got)["error"]["type"]) == (502, "api_error")


_ERROR = b'data: {"error":{"message":"sk-upstream is tired","code":529}}\n\n'


def _paused(*pieces: bytes) -> Reply:
    """Each piece of the stream in a read of its own."""

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for piece in pieces:
            writer.write(chunk(piece))
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write(chunk(b""))

    return reply


@pytest.mark.parametrize("pieces", [(_STREAM[1], _STREAM[2], _ERROR), (_STREAM[1], _STREAM[2] + _ERROR)])
async def test_an_error_in_the_middle_of_a_stream_is_an_event_without_our_key(pieces: tuple[bytes, ...]) -> None:
    async with upstream(_paused(*pieces)) as up:
        there = _target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            status, body = await _ask(gw, stream=True)
            (record,) = await gw.records()
    events = _events(body)
    assert (status, _text(events)) == (200, "Hello")
    assert events[-1]["error"]["type"] == "overloaded_error"
    assert b"sk-upstream" not in body
    assert record["outcome"] == "upstream_error"


async def test_an_error_is_the_answer_as_long_as_nothing_was_sent() -> None:
    async with (
        upstream(stream(_STREAM[1], _ERROR)) as bad,
        upstream(stream(*_STREAM)) as good,
        gateway(route("claude-x", targets=[_target(bad.url), _target(good.url, priority=1)])) as gw,
    ):
        status, body = await _ask(gw, stream=True)
        (record,) = await gw.records()
    assert (status, _text(_events(body)), record["attempts"]) == (200, "Hello", 2)


async def test_bedrocks_clients_get_their_frames() -> None:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": _ASKED["messages"]}
    async with upstream(stream(*_STREAM)) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        answer = await gw.post("/model/claude-x/invoke-with-response-stream", body)
        framed = await answer.read()
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    frames = Frames().feed(framed)
    events = [json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])) for frame in frames]
    assert _text(events) == "Hello"
    assert events[-1]["type"] == "message_stop"
    assert json.loads(up.seen[0].body)["stream"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": None},
        {"messages": "hi"},
        {"messages": [1]},
        {"tools": {"name": "x"}},
        {"max_tokens": None},
        {"temperature": "hot"},
        {"top_p": True},
    ],
)
async def test_what_no_upstream_could_read_is_rejected_here(wrong: dict[str, Any]) -> None:
    async with upstream(whole(b"{}")) as up, gateway(route("claude-x", targets=[_target(up.url)])) as gw:
        status, body = await _ask(gw, **wrong)
    assert status == 400
    assert next(iter(wrong)) in json.loads(body)["error"]["message"]
    assert up.seen == []


async def test_a_large_conversation_is_translated_aside() -> None:
    large = [{"role": "user", "content": "word " * 200_000}]
    async with (
        upstream(whole(json.dumps(_WHOLE).encode())) as up,
        gateway(route("claude-x", targets=[_target(up.url)])) as gw,
    ):
        assert (await _ask(gw, messages=large))[0] == 200
        assert (await _ask(gw, messages=large, tools="none"))[0] == 400
    assert json.loads(up.seen[0].body)["messages"] == large


async def test_every_client_may_name_the_model_where_the_target_leaves_it_open() -> None:
    async with (
        upstream(whole(json.dumps(_WHOLE).encode())) as up,
        gateway(route("*", targets=[_target(up.url, model="*")])) as gw,
    ):
        message = json.loads((await _ask(gw, model="gpt-5 mini"))[1])
    assert json.loads(up.seen[0].body)["model"] == message["model"] == "gpt-5 mini"
