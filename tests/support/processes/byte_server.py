"""A server whose answers are written byte by byte, and requests to it through the gateway's own client."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from multidict import CIMultiDict
from tests.support.processes.waiting import until_async
from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class ByteServer:
    """Serves connections with a function, and counts them."""

    def __init__(self, serve: Serve) -> None:
        """``serve`` handles each connection."""
        self._serve = serve
        self.url = ""
        self.connections = 0
        self.open = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client closes it."""
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
async def server(serve: Serve, *, context: ssl.SSLContext | None = None) -> AsyncIterator[ByteServer]:
    """Run a server on a free port."""
    made = ByteServer(serve)
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
    """Connections that may go to loopback addresses."""
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
    """Send a request and return its answer."""
    return await of.send(URL(url), headers=CIMultiDict({"x-one": "1"}), body=body)


async def whole(answer: HttpAnswer) -> bytes:
    """Read the body of an answer to its end."""
    parts = []
    while part := await answer.read():
        parts.append(part)
    return b"".join(parts)


async def _is(count: int, wanted: int) -> bool:
    return count == wanted
