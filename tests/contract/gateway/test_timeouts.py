"""How long a target may take to begin, to go on and to end, and how the caller learns that it took longer."""

import asyncio
import json

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Reply,
    Seen,
    chunk,
    events,
    gateway,
    hang,
    head,
    stream,
    upstream,
    whole,
)
from tests.support.processes.waiting import until_async

from claude_gateway.contract.route import Timeouts
from claude_gateway.contract.target import Wire

_STREAM = {"model": "c", "stream": True, "messages": []}
_WHOLE = {"model": "c", "messages": []}
_EVENTS = events("message_start", "content_block_start", "message_delta", "message_stop")
_SHORT = 0.2


async def _head_only(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head())


@pytest.mark.parametrize("reply", [hang, _head_only])
async def test_a_stream_that_does_not_begin_is_a_504(reply: Reply) -> None:
    async with upstream(reply) as up:
        there = route("c", targets=[target(base_url=up.url)], timeouts=Timeouts(first_token=_SHORT))
        async with gateway(there) as gw:
            answer = await gw.post("/v1/messages", _STREAM)
            assert answer.status == 504
            assert (await answer.json())["error"]["type"] == "timeout_error"
            (record,) = await gw.records()
            await until_async(lambda: _gone(up.open), what="the upstream connection to be closed")
    assert record["outcome"] == "timeout"
    assert [error.rpartition(" ")[2] for error in record["upstream_errors"]] == ["first_token"]


async def _gone(count: int) -> bool:
    return count == 0


async def test_a_stream_that_does_not_begin_fails_over() -> None:
    async with upstream(_head_only) as slow, upstream(stream(*_EVENTS)) as good:
        pair = [target(base_url=up.url, id=f"ns/c/{n}.0", priority=n) for n, up in enumerate((slow, good))]
        async with gateway(route("c", targets=pair, timeouts=Timeouts(first_token=_SHORT))) as gw:
            answer = await gw.post("/v1/messages", _STREAM)
            assert (answer.status, await answer.read()) == (200, b"".join(_EVENTS))
            (record,) = await gw.records()
    assert (record["outcome"], record["attempts"]) == ("ok", 2)


async def test_the_time_to_the_first_token_is_not_asked_of_a_whole_answer() -> None:
    async def later(request: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3 * _SHORT)
        await whole(b"{}")(request, writer)

    async with upstream(later) as up:
        there = route("c", targets=[target(base_url=up.url)], timeouts=Timeouts(first_token=_SHORT, idle=_SHORT))
        async with gateway(there) as gw:
            assert await (await gw.post("/v1/messages", _WHOLE)).read() == b"{}"


async def test_a_whole_answer_that_takes_too_long_is_a_504_and_not_tried_again() -> None:
    async with upstream(hang) as slow, upstream(whole(b"{}")) as other:
        pair = [target(base_url=up.url, id=f"ns/c/{n}.0", priority=n) for n, up in enumerate((slow, other))]
        async with gateway(route("c", targets=pair, timeouts=Timeouts(total=_SHORT))) as gw:
            answer = await gw.post("/v1/messages", _WHOLE)
            assert answer.status == 504
            assert "0.2 s" in await answer.text()
            (record,) = await gw.records()
    assert record["outcome"] == "timeout"
    assert other.seen == []


@pytest.mark.parametrize("limit", ["idle", "total"])
async def test_a_stream_that_stalls_between_events_ends_with_an_error_event(limit: str) -> None:
    async with upstream(stream(*_EVENTS[:2], end=False)) as up:
        timeouts = Timeouts.model_validate({limit: _SHORT})
        async with gateway(route("c", targets=[target(base_url=up.url)], timeouts=timeouts)) as gw:
            answer = await gw.post("/v1/messages", _STREAM)
            got = await answer.read()
            (record,) = await gw.records()
    passed, _, last = got.rpartition(b"event: error\ndata: ")
    assert passed == b"".join(_EVENTS[:2])
    error = json.loads(last)
    assert (error["type"], error["request_id"]) == ("error", answer.headers["request-id"])
    assert (record["outcome"], record["status"]) == ("timeout", 200)
    assert [error.rpartition(" ")[2] for error in record["upstream_errors"]] == ["stalled"]


async def test_an_openai_stream_that_stalls_ends_with_an_error_in_its_own_format() -> None:
    begun = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    async with upstream(stream(begun, end=False)) as up:
        there = target(wire=Wire.OPENAI, base_url=up.url)
        async with gateway(route("c", targets=[there], timeouts=Timeouts(idle=_SHORT))) as gw:
            got = await (await gw.post("/v1/chat/completions", _STREAM)).read()
    assert got.startswith(begun + b"data: ")
    assert json.loads(got.removeprefix(begun + b"data: "))["error"]["code"] == "upstream_timeout"


async def test_a_stream_that_stalls_within_an_event_is_cut_off() -> None:
    async with upstream(stream(*_EVENTS[:1], b"event: content", end=False)) as up:
        there = route("c", targets=[target(base_url=up.url)], timeouts=Timeouts(idle=_SHORT))
        async with gateway(there) as gw:
            answer = await gw.post("/v1/messages", _STREAM)
            with pytest.raises(Exception, match=r"not.*complete"):
                await answer.read()
            answer.close()
            (record,) = await gw.records()
    assert record["outcome"] == "timeout"


async def test_events_within_the_idle_time_keep_a_stream_alive() -> None:
    async def paced(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for _n in range(8):
            await asyncio.sleep(_SHORT / 2)
            writer.write(chunk(b"data: {}\n\n"))
        writer.write(chunk(b""))

    async with upstream(paced) as up:
        timeouts = Timeouts(first_token=_SHORT * 20, idle=_SHORT * 2)
        async with gateway(route("c", targets=[target(base_url=up.url)], timeouts=timeouts)) as gw:
            assert await (await gw.post("/v1/messages", _STREAM)).read() == b"data: {}\n\n" * 8
            (record,) = await gw.records()
    assert record["outcome"] == "ok"


async def test_a_client_that_reads_slowly_is_not_taken_for_a_silent_upstream() -> None:
    size = 8 * 1024 * 1024
    event = b"data: " + b"x" * 65_530 + b"\n\n"
    count = size // len(event)

    async def much(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for _n in range(count):
            writer.write(chunk(event))
            await writer.drain()
        writer.write(chunk(b""))

    async with upstream(much) as up:
        there = route("c", targets=[target(base_url=up.url)], timeouts=Timeouts(idle=_SHORT))
        async with gateway(there) as gw:
            answer = await gw.post("/v1/messages", _STREAM)
            await asyncio.sleep(5 * _SHORT)
            assert await answer.read() == event * count
            (record,) = await gw.records()
    assert record["outcome"] == "ok"
