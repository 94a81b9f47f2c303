"""The codec lane's connections: answers that break off, stall or are compressed, and clients that leave or wait."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from tests.support.builders.bundles import route
from tests.support.builders.codec import (
    ASKED,
    STREAM,
    WHOLE,
    ask,
    chat_chunk,
    codec_target,
    events_of,
    text_of,
)
from tests.support.processes.inprocess import Seen, chunk, gateway, head, upstream, whole
from tests.support.processes.waiting import until_async


async def test_a_stream_that_breaks_off_breaks_off_for_the_client_too() -> None:
    async def breaks(_: Seen, writer: Any) -> None:
        writer.write(head() + chunk(STREAM[0]) + chunk(STREAM[1]))
        await writer.drain()
        writer.transport.abort()

    async with upstream(breaks) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**ASKED, "stream": True})
        with pytest.raises(ClientPayloadError):
            await answer.read()
        assert (await gw.records())[0]["upstream_errors"] == [f"{codec_target(up.url).id}: broken"]


@pytest.mark.parametrize("last", [STREAM[2], STREAM[2] + STREAM[5]], ids=["nothing", "[DONE]"])
async def test_the_end_of_a_stream_without_a_finish_reason_is_no_end(last: bytes) -> None:
    begun = asyncio.Event()

    async def cut(_: Seen, writer: Any) -> None:
        writer.write(head() + chunk(STREAM[1]))
        await begun.wait()
        # The last text and the end in one read: the text is sent, and then the stream must not end as if all were well.
        writer.write(chunk(last) + chunk(b""))

    async with upstream(cut) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**ASKED, "stream": True})
        await answer.content.readuntil(b"Hel")
        begun.set()
        with pytest.raises(ClientPayloadError):
            await answer.read()
        assert (await gw.records())[0]["upstream_errors"] == [f"{codec_target(up.url).id}: broken"]


async def _held(_: Seen, writer: Any) -> None:
    writer.write(head() + chunk(STREAM[0]) + chunk(STREAM[1]))


async def test_a_client_that_leaves_takes_the_upstreams_work_with_it() -> None:
    async with upstream(_held) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**ASKED, "stream": True})
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
        gateway(route("claude-x", targets=[codec_target(up.url)]), ping_seconds=0.05) as gw,
    ):
        answer = await gw.post("/v1/messages", {**ASKED, "stream": True})
        got = b""
        while got.count(b"event: ping") < 2:
            got += await answer.content.readany()
        answer.close()
    assert got.startswith(b"event: message_start")


async def test_an_upstream_that_does_not_end_its_body_does_not_hold_the_client() -> None:
    async def unended(_: Seen, writer: Any) -> None:
        writer.write(head() + b"".join(map(chunk, STREAM)))

    async with upstream(unended) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        status, body = await ask(gw, stream=True)
        await until_async(lambda: _is(up.open, 0), what="the upstream's connection to be closed")
    assert (status, text_of(events_of(body))) == (200, "Hello")


async def test_a_client_that_does_not_read_holds_the_upstream_back() -> None:
    sent = 0

    async def endless(_: Seen, writer: Any) -> None:
        nonlocal sent
        writer.write(head() + chunk(STREAM[0]))
        piece = chunk(chat_chunk({"content": "x" * 1000}) * 50)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async with upstream(endless) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        answer = await gw.post("/v1/messages", {**ASKED, "stream": True})
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
    body = b"".join(STREAM) if asked else json.dumps(WHOLE).encode()
    window = {"gzip": 31, "deflate": 15, "raw": -15}[coding]
    packer = zlib.compressobj(wbits=window)
    packed = packer.compress(body) + packer.flush()
    name = "gzip" if coding == "gzip" else "deflate"
    kind = "text/event-stream" if asked else "application/json"
    reply = whole(packed, headers=f"content-type: {kind}\r\ncontent-encoding: {name}\r\n")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        status, got = await ask(gw, stream=asked)
    assert status == 200
    assert (text_of(events_of(got)) if asked else json.loads(got)["content"][0]["text"]) == "Hello"
    assert up.seen[0].header("accept-encoding") == "identity"


_BOMB = gzip.compress(b'{"choices":[{"message":{"content":"' + b"x" * (64 * 2**20))


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("body", "coding"), [(_BOMB, "gzip"), (b"no gzip at all", "gzip"), (b"{}", "br")], ids=["bomb", "broken", "unknown"]
)
async def test_an_answer_that_cannot_be_read_is_a_failure(body: bytes, coding: str, asked: bool) -> None:
    reply = whole(body, headers=f"content-type: application/json\r\ncontent-encoding: {coding}\r\n")
    async with upstream(reply) as up, gateway(route("claude-x", targets=[codec_target(up.url)])) as gw:
        status, got = await ask(gw, stream=asked)
    assert (status, json.loads(got)["error"]["type"]) == (502, "api_error")
