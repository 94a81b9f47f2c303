"""The client for upstreams: requests, answers and pooled connections, byte by byte."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.support.processes.byte_server import OK, answering, ask, request, server, upstreams, whole
from tests.support.processes.waiting import until_async
from yarl import URL

from claude_gateway_proxy.gateway.upstream.http.connection import HEAD_LIMIT, ConnectionClosed, NotHttp
from claude_gateway_proxy.unreachable import AnswerBroken, Obstacle, explain


async def test_the_request_is_what_was_given_and_no_more() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(OK)

    async with server(serve) as up, upstreams() as of:
        assert await whole(await ask(of, f"{up.url}?beta=true", b"body")) == b"ok"
    host = URL(up.url).authority.encode()
    assert seen == [
        (b"POST /v1/x?beta=true HTTP/1.1\r\nhost: " + host + b"\r\nx-one: 1\r\ncontent-length: 4\r\n\r\n", b"body")
    ]


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])
async def test_no_header_begins_another(value: str) -> None:
    async with server(answering(OK)) as up, upstreams() as of:
        with pytest.raises(ValueError, match="line break"):
            await of.send(URL(up.url), headers=CIMultiDict({"x-one": value}), body=b"")
        assert up.connections == 0


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_BODIES = {
    "length": _HEAD + b"content-length: 11\r\n\r\nhello world",
    "chunked": _HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nx-late: 1\r\n\r\n",
    "after_informational": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    + _HEAD
    + b"content-length: 11\r\n\r\nhello world",
}


@pytest.mark.parametrize("name", _BODIES)
@settings(max_examples=25)
@given(cuts=st.lists(st.integers(1, 160), max_size=12))
def test_an_answer_is_the_same_in_any_pieces(name: str, cuts: list[int]) -> None:
    text = _BODIES[name]
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]

    async def run() -> None:
        async with server(answering(*pieces)) as up, upstreams() as of:
            for _ in range(2):
                answer = await ask(of, up.url)
                assert (answer.status, answer.header(b"content-type")) == (200, "text/plain")
                assert await whole(answer) == b"hello world"
                assert answer.header(b"x-late") == answer.header(b"link") == ""
            assert up.connections == 1

    asyncio.run(run())


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async with server(answering(b"HTTP/1.1 200 OK\r\n\r\nhello", close=True)) as up, upstreams() as of:
        answer = await ask(of, up.url)
        assert (await whole(answer), answer.content_length) == (b"hello", None)
        assert await whole(await ask(of, up.url)) == b"hello"
        assert up.connections == 2


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
async def test_a_body_that_breaks_off_is_not_complete(text: bytes) -> None:
    async with server(answering(text, close=True)) as up, upstreams() as of:
        answer = await ask(of, up.url)
        assert await answer.read() == b"hello"
        with pytest.raises(AnswerBroken):
            await answer.read()


@pytest.mark.parametrize(
    ("text", "obstacle"),
    [
        (b"", Obstacle.CLOSED),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Obstacle.CLOSED),
        (b"\x15\x03\x01\x00\x02\x02\x16", Obstacle.PLAIN_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Obstacle.PLAIN_HTTP),
        (b"HTTP/1.1 200 OK\r\nx-big: " + b"a" * HEAD_LIMIT + b"\r\n", Obstacle.PLAIN_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, Obstacle.PLAIN_HTTP),
    ],
)
async def test_what_is_not_an_answer_has_a_reason(text: bytes, obstacle: Obstacle) -> None:
    async with server(answering(text, close=True)) as up, upstreams() as of:
        with pytest.raises((ConnectionClosed, NotHttp)) as raised:
            await ask(of, up.url)
        assert explain(raised.value).obstacle is obstacle
        assert up.connections == 1


async def test_a_second_answer_that_nobody_asked_for_ends_the_connection() -> None:
    async with server(answering(OK + OK)) as up, upstreams() as of:
        for _ in range(2):
            assert await whole(await ask(of, up.url)) == b"ok"
        assert up.connections == 2


async def test_a_server_that_keeps_nothing_gets_a_new_connection_each_time() -> None:
    text = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with server(answering(text)) as up, upstreams() as of:
        for _ in range(2):
            assert await whole(await ask(of, up.url)) == b"ok"
        assert up.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_replaced_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await request(reader)
        writer.close()

    async with server(serve) as up, upstreams() as of:
        for expected in (1, 2):
            assert await whole(await ask(of, up.url)) == b"ok"
            assert up.connections == expected


async def test_a_request_that_a_new_connection_lost_is_not_sent_again() -> None:
    async with server(answering(b"", close=True)) as up, upstreams() as of:
        with pytest.raises(ConnectionClosed):
            await ask(of, up.url)
        assert up.connections == 1


async def test_many_requests_at_once_each_get_their_own_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with server(serve) as up, upstreams() as of:

        async def client(number: int) -> None:
            for turn in range(30):
                body = f"{number}/{turn}".encode()
                assert await whole(await ask(of, up.url, body)) == body

        await asyncio.gather(*map(client, range(12)))
        assert up.connections <= 12


async def test_an_answer_that_is_cut_off_closes_its_connection() -> None:
    text = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"
    async with server(answering(text)) as up, upstreams() as of:
        answer = await ask(of, up.url)
        assert await answer.read() == b"hello"
        answer.close()
        await until_async(lambda: _is(up.open, 0), what="the connection to be closed")


async def test_a_request_that_is_given_up_closes_its_connection() -> None:
    async with server(answering()) as up, upstreams() as of:
        asking = asyncio.create_task(ask(of, up.url))
        await until_async(lambda: _is(up.open, 1), what="the connection")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until_async(lambda: _is(up.open, 0), what="the connection to be closed")


async def test_a_slow_reader_slows_the_upstream_down() -> None:
    sent = 0
    piece = b"x" * 65536

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1024 * len(piece)))
        for _ in range(1024):
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async with server(serve) as up, upstreams() as of:
        answer = await ask(of, up.url)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 512 * len(piece)
        assert len(await whole(answer)) == 1024 * len(piece)


async def test_an_error_that_comes_before_the_body_was_read_is_an_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(0.2)

    async with server(serve) as up, upstreams() as of:
        answer = await ask(of, up.url, b"x" * 30_000_000)
        assert (answer.status, await whole(answer)) == (413, b"no")


async def _is(count: int, wanted: int) -> bool:
    return count == wanted
