"""A client that leaves takes its upstream request with it, at once, and nothing stays behind."""

import asyncio
from urllib.parse import urlsplit

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    KEY,
    Gateway,
    Reply,
    Seen,
    chunk,
    events,
    gateway,
    hang,
    head,
    upstream,
)
from tests.support.processes.waiting import until_async

_EVENTS = events("message_start", "content_block_start")


async def _begun(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head() + chunk(_EVENTS[0]) + chunk(_EVENTS[1]))


async def _endless(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    while not writer.is_closing():
        writer.write(chunk(b"data: " + b"x" * 10_000 + b"\n\n"))
        await writer.drain()


async def _head_only(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head())


async def _connect(
    gw: Gateway, *, stream: bool, padding: int = 0, count: int = 1
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send requests by hand, so that leaving is nothing but closing the socket."""
    address = urlsplit(gw.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    body = b'{"model":"c","stream":%s%s}' % (b"true" if stream else b"false", b" " * padding)
    request = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s" % (
        KEY.encode(),
        len(body),
        body,
    )
    writer.write(request * count)
    await writer.drain()
    return reader, writer


async def _left(count: int, wanted: int) -> bool:
    return count == wanted


@pytest.mark.parametrize(
    ("reply", "stream", "status"),
    [(hang, True, 499), (hang, False, 499), (_head_only, True, 499), (_begun, True, 200), (_endless, True, 200)],
)
async def test_the_upstream_connection_is_closed(reply: Reply, stream: bool, status: int) -> None:
    async with upstream(reply) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        before = asyncio.all_tasks()
        reader, writer = await _connect(gw, stream=stream)
        await until_async(lambda: _left(len(up.seen), 1), what="the request")
        if status == 200:
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await until_async(lambda: _left(up.open, 0), what="the upstream connection to be closed")
        await gw.idle()
        (record,) = await gw.records()
        await until_async(lambda: _no_more_tasks(before), what="the request's tasks to end")
    assert (record["outcome"], record["status"]) == ("cancelled", status)


@pytest.mark.parametrize(("padding", "count"), [(1_000_000, 1), (0, 3)], ids=["large-body", "requests-sent-ahead"])
async def test_a_client_that_leaves_is_noticed_whatever_it_sent(padding: int, count: int) -> None:
    async with upstream(hang) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        _, writer = await _connect(gw, stream=True, padding=padding, count=count)
        await until_async(lambda: _left(len(up.seen), 1), what="the request")
        writer.close()
        await until_async(lambda: _left(up.open, 0), what="the upstream connection to be closed")
        await gw.idle()


async def _no_more_tasks(before: set[asyncio.Task[object]]) -> bool:
    return not asyncio.all_tasks() - before


async def test_no_other_target_is_asked_for_a_client_that_left() -> None:
    async with upstream(hang) as first, upstream(hang) as second:
        pair = [target(base_url=up.url, id=f"ns/c/{n}.0", priority=n) for n, up in enumerate((first, second))]
        async with gateway(route("c", targets=pair)) as gw:
            _, writer = await _connect(gw, stream=True)
            await until_async(lambda: _left(len(first.seen), 1), what="the request")
            writer.close()
            (record,) = await gw.records()
    assert record["outcome"] == "cancelled"
    assert second.seen == []


async def test_a_finished_answer_leaves_its_connection_for_the_next_one() -> None:
    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunk(_EVENTS[0]) + chunk(b""))

    async with upstream(reply) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        for _ in range(5):
            answer = await gw.post("/v1/messages", {"model": "c", "stream": True})
            assert await answer.read() == _EVENTS[0]
        assert (up.open, up.ended) == (1, 0)


async def test_many_clients_that_leave_leave_nothing() -> None:
    async with upstream(_begun) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        before = asyncio.all_tasks()
        pairs = [await _connect(gw, stream=True) for _ in range(50)]
        for reader, _ in pairs:
            await reader.readuntil(b"\r\n\r\n")
        for _, writer in pairs:
            writer.close()
        await until_async(lambda: _left(up.open, 0), what="all upstream connections to be closed")
        records = await gw.records(50)
        await until_async(lambda: _no_more_tasks(before), what="all tasks to end")
    assert {record["outcome"] for record in records} == {"cancelled"}
