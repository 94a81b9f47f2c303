"""Signs of life in the silences of a stream: between events only, and none where they would do harm."""

import asyncio
import base64
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Seen, chunk, events, gateway, head, upstream

from claude_gateway.contract.route import Timeouts
from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import LITELLM_SOCKET

_SOON = 0.02
_EVENTS = events("message_start", "content_block_start", "message_delta", "message_stop")
_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_COMMENT = b": ping\n\n"


class Paced:
    """An upstream whose stream goes on when the test says so."""

    def __init__(self, begin: bytes = b"", *, start: bytes | None = None) -> None:
        self._begin = begin
        self._head = head() if start is None else start
        self._parts = asyncio.Queue[bytes]()

    async def __call__(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(self._head + chunk(self._begin))
        while part := await self._parts.get():
            writer.write(chunk(part))
        writer.write(chunk(b""))

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self._parts.put_nowait(part)

    def end(self) -> None:
        self._parts.put_nowait(b"")


@asynccontextmanager
async def _gateway(
    reply: Reply, *, every: float = _SOON, timeouts: Timeouts | None = None, **more: Any
) -> AsyncIterator[Gateway]:
    async with upstream(reply) as up:
        there: Target = target(base_url=up.url, **more)
        async with gateway(route("c", targets=[there], timeouts=timeouts or Timeouts()), ping_seconds=every) as gw:
            yield gw


async def _ask(gw: Gateway, path: str = "messages") -> ClientResponse:
    return await gw.post(f"/v1/{path}", {"model": "c", "stream": True, "messages": []})


async def _until(answer: ClientResponse, wanted: bytes, count: int) -> bytes:
    got = b""
    while got.count(wanted) < count:
        data = await answer.content.readany()
        assert data, got
        got += data
    return got


async def test_a_silent_stream_gets_pings_between_its_events() -> None:
    up = Paced(_EVENTS[0])
    async with _gateway(up) as gw:
        answer = await _ask(gw)
        first = await _until(answer, _PING, 3)
        up.say(*_EVENTS[1:3])
        second = await _until(answer, _PING, 2)
        up.say(_EVENTS[3])
        up.end()
        whole = first + second + await answer.read()
        (record,) = await gw.records()
    assert first.startswith(_EVENTS[0])
    assert whole.replace(_PING, b"") == b"".join(_EVENTS)
    assert (record["outcome"], record["output_tokens"], record["bytes_out"]) == ("ok", 22, len(whole))


@pytest.mark.parametrize("path", ["chat/completions", "completions", "responses"])
async def test_openai_formats_get_comments(path: str) -> None:
    begun = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    up = Paced(begun)
    async with _gateway(up, wire=Wire.OPENAI) as gw:
        answer = await _ask(gw, path)
        got = await _until(answer, _COMMENT, 2)
        up.end()
        got += await answer.read()
    assert got.replace(_COMMENT, b"") == begun


async def test_the_translated_lane_gets_them_too() -> None:
    up = Paced(_EVENTS[0])
    there = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1")
    async with (
        gateway(route("c", targets=[there]), ping_seconds=_SOON) as gw,
        upstream(up, path=gw.run_dir / LITELLM_SOCKET),
    ):
        answer = await _ask(gw)
        assert (await _until(answer, _PING, 2)).startswith(_EVENTS[0])
        up.end()
        await answer.read()


async def test_bedrock_clients_get_them_in_frames() -> None:
    up = Paced(_EVENTS[0])
    ping = base64.b64encode(b'{"type": "ping"}')
    async with _gateway(up) as gw:
        answer = await gw.post("/model/c/invoke-with-response-stream", {"messages": [], "max_tokens": 1})
        got = await _until(answer, ping, 2)
        up.say(*_EVENTS[1:])
        up.end()
        got += await answer.read()
    types = [json.loads(base64.b64decode(payload))["type"] for payload in re.findall(rb'{"bytes":"([^"]*)"}', got)]
    assert [type_ for type_ in types if type_ != "ping"] == [
        "message_start",
        "content_block_start",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("cut", range(1, len(_EVENTS[1])))
async def test_no_ping_comes_into_the_middle_of_an_event(cut: int) -> None:
    up = Paced(_EVENTS[0] + _EVENTS[1][:cut])
    async with _gateway(up, every=0.001) as gw:
        answer = await _ask(gw)
        got = await answer.content.readexactly(len(_EVENTS[0]) + cut)
        await asyncio.sleep(0.01)
        up.say(_EVENTS[1][cut:])
        got += await _until(answer, _PING, 1)
        up.end()
        await answer.read()
    assert got.startswith(_EVENTS[0] + _EVENTS[1] + _PING)


async def test_the_upstreams_own_pings_pass() -> None:
    own = b"event: ping\ndata: {"
    parts = [_EVENTS[0], own + b'"type":"ping","mine":1}\n\n', *_EVENTS[1:]]
    up = Paced(b"".join(parts))
    async with _gateway(up, every=60) as gw:
        up.end()
        assert await (await _ask(gw)).read() == b"".join(parts)


@pytest.mark.parametrize(
    "start",
    [head(headers="content-encoding: gzip\r\n"), head(kind="application/json"), head(kind="application/x-ndjson")],
    ids=["compressed", "json", "lines"],
)
async def test_what_is_no_plain_event_stream_gets_none(start: bytes) -> None:
    body = gzip.compress(b"".join(_EVENTS)) + b"\n\n"
    up = Paced(body, start=start)
    async with _gateway(up, every=0.001) as gw:
        answer = await _ask(gw)
        got = await answer.content.readexactly(len(body))
        await asyncio.sleep(0.05)
        up.end()
        assert got + await answer.read() == body


async def test_they_can_be_switched_off() -> None:
    up = Paced(_EVENTS[0])
    async with _gateway(up, every=0) as gw:
        answer = await _ask(gw)
        await asyncio.sleep(0.05)
        up.end()
        assert await answer.read() == _EVENTS[0]


async def test_a_ping_does_not_put_off_the_end_of_a_stalled_stream() -> None:
    async with _gateway(Paced(_EVENTS[0]), timeouts=Timeouts(idle=0.3)) as gw:
        got = await (await _ask(gw)).read()
        (record,) = await gw.records()
    assert _PING in got
    assert re.fullmatch(rb"event: error\ndata: [^\n]+\n\n", got.replace(_PING, b"").removeprefix(_EVENTS[0]))
    assert record["outcome"] == "timeout"


async def test_a_client_that_does_not_read_finds_every_event_whole() -> None:
    """Pings that wait for the client and events that come meanwhile stay in order."""
    event = b"event: content_block_delta\ndata: " + b"x" * 70_000 + b"\n\n"
    up = Paced(event)
    async with _gateway(up, every=0.001) as gw:
        answer = await _ask(gw)
        for _ in range(120):
            up.say(event)
            await asyncio.sleep(0.002)
        up.end()
        got = await answer.read()
        (record,) = await gw.records()
    assert got.count(_PING) > 0
    assert got.replace(_PING, b"") == event * 121
    assert record["bytes_out"] == len(got)


async def test_a_client_that_leaves_in_a_silence_ends_the_request() -> None:
    async with _gateway(Paced(_EVENTS[0])) as gw:
        answer = await _ask(gw)
        await _until(answer, _PING, 1)
        answer.close()
        (record,) = await gw.records()
    assert record["outcome"] == "cancelled"
