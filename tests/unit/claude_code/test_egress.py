"""The way out leads to allowed hosts alone, directly or through a company's proxy."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from tests.support.processes.waiting import closed

from claude_gateway_claude_code.egress import Egress


@asynccontextmanager
async def listening(said: bytes, received: list[bytes]) -> AsyncIterator[int]:
    """A server that notes the first bytes of each connection and answers with some."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(4096))
        writer.write(said)
        await writer.drain()
        if said and (rest := await reader.read(4096)):
            writer.write(b"echo " + rest)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await closed()


@asynccontextmanager
async def egress(*allowed: str, proxy: str | None = None) -> AsyncIterator[tuple[Egress, list[int]]]:
    refused: list[int] = []
    running = Egress(allowed, proxy=proxy, refused=lambda: refused.append(1))
    await running.start()
    yield running, refused
    running.close()
    await closed()


async def exchange(running: Egress, head: bytes, *then: bytes) -> bytes:
    """Send a head and what follows, piece by piece; return all that comes back."""
    where = urlsplit(running.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(head)
    answer = await reader.read(4096)
    for part in then:
        writer.write(part)
        answer += await reader.read(4096)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_an_allowed_host_is_reached() -> None:
    received: list[bytes] = []
    async with listening(b"hello", received) as port, egress(f"127.0.0.1:{port}") as (running, refused):
        head = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        assert await exchange(running, head, b"hi") == b"HTTP/1.1 200 Connection Established\r\n\r\nhello"
    assert received == [b"hi"]
    assert refused == []


@pytest.mark.parametrize(
    "line",
    [
        *(b"CONNECT example.com:443 HTTP/1.1", b"CONNECT api.anthropic.com:80 HTTP/1.1"),
        *(b"CONNECT api.anthropic.com.evil.example:443 HTTP/1.1", b"GET http://api.anthropic.com/ HTTP/1.1"),
        *(b"CONNECT api.anthropic.com@evil.example:443 HTTP/1.1", b"CONNECT [::1]:443 HTTP/1.1", b"\x16\x03\x01"),
    ],
)
async def test_any_other_host_is_refused(line: bytes) -> None:
    async with egress("api.anthropic.com") as (running, refused):
        assert (await exchange(running, line + b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
    assert refused == [1]


async def test_a_company_proxy_is_asked_with_its_password() -> None:
    received: list[bytes] = []
    async with listening(b"HTTP/1.1 200 OK\r\n\r\n", received) as port:
        proxy = f"http://me:pass%40word@127.0.0.1:{port}"
        async with egress("api.anthropic.com", proxy=proxy) as (running, _):
            answer = await exchange(running, b"CONNECT API.anthropic.com:443 HTTP/1.1\r\n\r\n", b"hi")
    assert answer == b"HTTP/1.1 200 Connection Established\r\n\r\necho hi"
    lines = received[0].decode().split("\r\n")
    assert lines[0] == "CONNECT api.anthropic.com:443 HTTP/1.1"
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:pass@word').decode()}" in lines


@pytest.mark.parametrize("said", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b"", b"nonsense\r\n\r\n"])
async def test_a_company_proxy_that_refuses_is_502(said: bytes) -> None:
    async with (
        listening(said, []) as port,
        egress("api.anthropic.com", proxy=f"http://127.0.0.1:{port}") as (running, _),
    ):
        answer = await exchange(running, b"CONNECT api.anthropic.com:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")
