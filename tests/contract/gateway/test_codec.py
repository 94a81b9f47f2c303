"""The codec lane over real sockets: Messages for servers with Chat Completions or Responses."""

import asyncio
import base64
import json
from typing import Any

import pytest
from tests.support.builders.bundles import route
from tests.support.builders.codec import (
    ASKED,
    CODEC,
    STREAM,
    WHOLE,
    ask,
    codec_target,
    events_of,
    text_of,
)
from tests.support.processes.inprocess import Reply, Seen, chunk, gateway, head, stream, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.target import Counting, Format, Translation
from claude_gateway_proxy.gateway.wire.eventstream import Frames

_SECRET = b"sk-upstream"
_ENTRY = secret_entry("ns.key", _SECRET)
_RESPONSES = Translation(
    codec=CODEC, messages=Format.RESPONSES, counting=Counting(format=Format.CHAT, path="/responses/input_tokens")
)


async def test_a_whole_answer_of_chat_completions_is_a_message() -> None:
    async with upstream(whole(json.dumps(WHOLE).encode(), headers="x-request-id: up-1\r\n")) as up:
        there = codec_target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages", ASKED)
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
    async with upstream(stream(*STREAM)) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        status, body = await ask(gw, stream=True)
        record = (await gw.records())[0]
        await ask(gw, stream=True)
        connections = up.open
    events = events_of(body)
    assert (status, text_of(events)) == (200, "Hello")
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
    bytes_of = b"".join(STREAM)
    async with (
        upstream(stream(*(bytes_of[at : at + 7] for at in range(0, len(bytes_of), 7)))) as up,
        gateway(route("claude-x", targets=[codec_target(up.url)])) as gw,
    ):
        assert text_of(events_of((await ask(gw, stream=True))[1])) == "Hello"


async def test_an_upstream_that_fails_is_followed_by_the_next() -> None:
    async with (
        upstream(whole(b'{"error":{"message":"busy"}}', status="529 Overloaded")) as bad,
        upstream(stream(b'data: {"error":{"message":"sorry"}}\n\n')) as worse,
        upstream(stream(*STREAM)) as good,
    ):
        targets = [codec_target(bad.url), codec_target(worse.url, priority=1), codec_target(good.url, priority=2)]
        async with gateway(route("claude-x", targets=targets)) as gw:
            status, body = await ask(gw, stream=True)
            record = (await gw.records())[0]
    assert (status, text_of(events_of(body))) == (200, "Hello")
    assert record["attempts"] == 3
    assert [each.partition(": ")[2] for each in record["upstream_errors"]] == ["overloaded", "status"]


@pytest.mark.parametrize(("status", "expected"), [("529 Overloaded", 529), ("429 Too Many", 429), ("401 No", 502)])
async def test_an_error_keeps_its_status_and_its_words_in_the_callers_envelope(status: str, expected: int) -> None:
    body = json.dumps({"error": {"message": "no, not with sk-upstream", "type": "x", "code": "y"}}).encode()
    reply = whole(body, status=status, headers="content-type: application/json\r\nretry-after: 7\r\n")
    async with upstream(reply) as up:
        there = codec_target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            answer = await gw.post("/v1/messages", ASKED)
            document = await answer.json()
    assert answer.status == expected
    assert document["type"] == "error"
    assert "sk-upstream" not in json.dumps(document)
    assert expected == 502 or answer.headers["retry-after"] == "7"


async def test_messages_are_sent_to_openai_as_responses() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]
    usage = {"input_tokens": 3, "output_tokens": 2}
    document = {"id": "r", "object": "response", "status": "completed", "output": output, "usage": usage}
    async with (
        upstream(whole(json.dumps(document).encode())) as up,
        gateway(route("claude-x", targets=[codec_target(up.url, _RESPONSES)])) as gw,
    ):
        status, body = await ask(gw)
    assert status == 200
    assert json.loads(body)["content"] == [{"type": "text", "text": "Hello"}]
    assert up.seen[0].target == "/v1/responses"
    assert json.loads(up.seen[0].body)["store"] is False


async def test_tokens_are_counted_by_the_provider_that_can() -> None:
    async with (
        upstream(whole(b'{"object":"response.input_tokens","input_tokens":42}')) as up,
        gateway(route("claude-x", targets=[codec_target(up.url, _RESPONSES)])) as gw,
    ):
        assert await ask(gw, path="/v1/messages/count_tokens") == (200, b'{"input_tokens":42}')
    assert up.seen[0].target == "/v1/responses/input_tokens"
    assert set(json.loads(up.seen[0].body)) == {"model", "input"}


@pytest.mark.parametrize("counts", ["Exact", "Estimate"])
async def test_tokens_are_estimated_where_no_one_can_count_and_the_route_allows_it(counts: str) -> None:
    async with upstream(whole(b"{}")) as up:
        there = route("claude-x", targets=[codec_target(up.url)], estimate_tokens=counts == "Estimate")
        async with gateway(there) as gw:
            answer = await gw.post("/v1/messages/count_tokens", ASKED)
            assert answer.status == (501 if counts == "Exact" else 200)
            assert answer.headers.get("x-token-count") == (None if counts == "Exact" else "estimate")
    assert up.seen == []


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


@pytest.mark.parametrize("pieces", [(STREAM[1], STREAM[2], _ERROR), (STREAM[1], STREAM[2] + _ERROR)])
async def test_an_error_in_the_middle_of_a_stream_is_an_event_without_our_key(pieces: tuple[bytes, ...]) -> None:
    async with upstream(_paused(*pieces)) as up:
        there = codec_target(up.url, secret=_ENTRY)
        async with gateway(route("claude-x", targets=[there]), secrets={_ENTRY: _SECRET}) as gw:
            status, body = await ask(gw, stream=True)
            (record,) = await gw.records()
    events = events_of(body)
    assert (status, text_of(events)) == (200, "Hello")
    assert events[-1]["error"]["type"] == "overloaded_error"
    assert b"sk-upstream" not in body
    assert record["outcome"] == "upstream_error"


async def test_an_error_is_the_answer_as_long_as_nothing_was_sent() -> None:
    async with (
        upstream(stream(STREAM[1], _ERROR)) as bad,
        upstream(stream(*STREAM)) as good,
        gateway(route("claude-x", targets=[codec_target(bad.url), codec_target(good.url, priority=1)])) as gw,
    ):
        status, body = await ask(gw, stream=True)
        (record,) = await gw.records()
    assert (status, text_of(events_of(body)), record["attempts"]) == (200, "Hello", 2)


async def test_bedrocks_clients_get_their_frames() -> None:
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": ASKED["messages"]}
    async with upstream(stream(*STREAM)) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        answer = await gw.post("/model/claude-x/invoke-with-response-stream", body)
        framed = await answer.read()
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    frames = Frames().feed(framed)
    events = [json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])) for frame in frames]
    assert text_of(events) == "Hello"
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
    async with upstream(whole(b"{}")) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        status, body = await ask(gw, **wrong)
    assert status == 400
    assert next(iter(wrong)) in json.loads(body)["error"]["message"]
    assert up.seen == []


async def test_a_large_conversation_is_translated_aside() -> None:
    large = [{"role": "user", "content": "word " * 200_000}]
    async with (
        upstream(whole(json.dumps(WHOLE).encode())) as up,
        gateway(route("claude-x", targets=[codec_target(up.url)])) as gw,
    ):
        assert (await ask(gw, messages=large))[0] == 200
        assert (await ask(gw, messages=large, tools="none"))[0] == 400
    assert json.loads(up.seen[0].body)["messages"] == large


async def test_every_client_may_name_the_model_where_the_target_leaves_it_open() -> None:
    async with (
        upstream(whole(json.dumps(WHOLE).encode())) as up,
        gateway(route("*", targets=[codec_target(up.url, model="*")])) as gw,
    ):
        message = json.loads((await ask(gw, model="gpt-5 mini"))[1])
    assert json.loads(up.seen[0].body)["model"] == message["model"] == "gpt-5 mini"
