"""The client for upstreams, against servers that are written byte by byte."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.support.builders.certificates import self_signed
from tests.support.processes.waiting import until_async
from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http import client
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.http.connection import HEAD_LIMIT, ConnectionClosed, NotHttp
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.unreachable import AnswerBroken, Obstacle, Unreachable, explain
from claude_gateway_runtime import keepalive

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Counts connections and keeps the heads and bodies that came."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.url = ""
        self.connections = 0
        self.open = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def server(serve: Serve, *, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server on a free port."""
    made = Server(serve)
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    made.url = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/x"
    try:
        yield made
    finally:
        listening.close()
        await until_async(lambda: _is(made.open, 0), what="the connections to be closed")


@contextlib.asynccontextmanager
async def upstreams() -> AsyncIterator[Upstreams]:
    """Connections that may go to this machine."""
    made = Upstreams(Egress(loopback=True))
    try:
        yield made
    finally:
        await made.close()


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read a request: its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


def answering(*pieces: bytes, close: bool = False) -> Serve:
    """Answer every request with these pieces, each in a packet of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if close:
                writer.close()
                return

    return serve


async def ask(of: Upstreams, url: str, body: bytes = b"{}") -> HttpAnswer:
    return await of.send(URL(url), headers=CIMultiDict({"x-one": "1"}), body=body)


async def whole(answer: HttpAnswer) -> bytes:
    parts = []
    while part := await answer.read():
        parts.append(part)
    return b"".join(parts)


async def test_the_request_is_what_was_given_and_no_more() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(_OK)

    async with server(serve) as up, upstreams() as of:
        assert await whole(await ask(of, f"{up.url}?beta=true", b"body")) == b"ok"
    host = URL(up.url).authority.encode()
    assert seen == [
        (b"POST /v1/x?beta=true HTTP/1.1\r\nhost: " + host + b"\r\nx-one: 1\r\ncontent-length: 4\r\n\r\n", b"body")
    ]


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b"])
async def test_no_header_begins_another(value: str) -> None:
    async with server(answering(_OK)) as up, upstreams() as of:
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
    async with server(answering(_OK + _OK)) as up, upstreams() as of:
        for _ in range(2):
            assert await whole(await ask(of, up.url)) == b"ok"
        assert up.connections == 2


async def test_a_server_that_keeps_nothing_gets_a_new_connection_each_time() -> None:
    text = _OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with server(answering(text)) as up, upstreams() as of:
        for _ in range(2):
            assert await whole(await ask(of, up.url)) == b"ok"
        assert up.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_replaced_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(_OK)
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


async def test_a_certificate_that_nobody_trusts_is_the_reason(tmp_path: Path) -> None:
    async with _tls_server(tmp_path) as up, upstreams() as of:
        with pytest.raises(OSError, match="connection failed") as raised:
            await ask(of, up.url)
        assert explain(raised.value).obstacle is Obstacle.CERTIFICATE


async def test_a_port_without_tls_is_the_reason() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(serve) as up, upstreams() as of:
        with pytest.raises(OSError, match="connection failed") as raised:
            await ask(of, up.url.replace("http:", "https:"))
        assert explain(raised.value).obstacle is Obstacle.TLS


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "the proxy answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer with HTTP"),
        (b"", "closed the connection"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_the_reason(
    answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async with server(serve) as proxy:
        _use_proxy(monkeypatch, f"http://user:pa%20ss@{URL(proxy.url).authority}")
        async with upstreams() as of:
            with pytest.raises(OSError, match=r"proxy") as raised:
                await ask(of, "https://model.example/v1/x")
    why = explain(raised.value)
    assert (why.obstacle, words in why.detail, "pa" in why.detail) == (Obstacle.PROXY, True, False)
    assert seen == [
        b"CONNECT model.example:443 HTTP/1.1\r\nhost: model.example:443\r\n"
        b"proxy-authorization: Basic dXNlcjpwYSBzcw==\r\n\r\n"
    ]


async def test_tls_goes_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _tls_server(tmp_path) as up:
        port = URL(up.url).port

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)
                sink.close()

            await asyncio.gather(copy(reader, back), copy(there, writer))

        async with server(serve) as proxy:
            _use_proxy(monkeypatch, f"http://{URL(proxy.url).authority}")
            monkeypatch.setattr(
                "claude_gateway_proxy.gateway.upstream.session._trust",
                lambda: ssl.create_default_context(cafile=str(tmp_path / "upstream.pem")),
            )
            async with upstreams() as of:
                for _ in range(2):
                    assert await whole(await ask(of, "https://model.example/v1/x")) == b"ok"
            assert (proxy.connections, up.connections) == (1, 1)


async def test_another_kind_of_proxy_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_proxy(monkeypatch, "socks5://user:secret@127.0.0.1:1")
    async with upstreams() as of:
        with pytest.raises(Unreachable) as raised:
            await ask(of, "https://model.example/v1/x")
    assert (raised.value.obstacle, "secret" in raised.value.detail) == (Obstacle.PROXY, False)


def _use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", url)


def _tls_server(folder: Path) -> contextlib.AbstractAsyncContextManager[Server]:
    """Run a server whose certificate is in ``upstream.pem``."""
    pem = folder / "upstream.pem"
    pem.write_bytes(b"".join(self_signed("model.example")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return server(answering(_OK), context=context)


async def _is(count: int, wanted: int) -> bool:
    return count == wanted


async def test_a_kept_connection_is_probed_within_seconds() -> None:
    """A network that is gone says nothing: without probes a kept connection looks well for two hours."""
    async with server(answering(_OK)) as there, upstreams() as ours:
        await whole(await ask(ours, there.url))
        seconds = _until_the_first_probe(URL(there.url).port)
        assert seconds is not None, "no probe is due on the kept connection"
        assert seconds <= 15


def _until_the_first_probe(port: int | None) -> float | None:
    """Seconds until the system probes our connection to a port (proc(5), /proc/net/tcp); None: it does not."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        if state == "01" and int(remote.rpartition(":")[2], 16) == port:
            kind, _, jiffies = timer.partition(":")
            return int(jiffies, 16) / 100 if kind == "02" else None
    return None


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
async def test_an_upstream_that_no_longer_hears_is_given_up(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the system had waited long enough.
    monkeypatch.setattr(keepalive, "_SENT_AGAIN", 0)
    monkeypatch.setattr(keepalive, "_SILENT_MS", 0)
    monkeypatch.setattr(client, "CHECK_SECONDS", 0.1)
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if begun:
            writer.write(_OK[:-1])
        asked.set()

    async with server(serve) as made, upstreams() as ours:
        if begun:
            with pytest.raises(AnswerBroken):
                await whole(await ask(ours, made.url))
        else:
            with pytest.raises(TimeoutError, match="no longer answers"):
                await ask(ours, made.url)
        assert asked.is_set()
