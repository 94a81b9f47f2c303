"""A CONNECT proxy on loopback that leads to allowed hosts alone: network policies know no names.

It is the only way out that a Claude Code process is given besides the shim.
"""

import asyncio
import base64
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.settings import join_host_port

ANTHROPIC_HOSTS: Final = ("api.anthropic.com", "platform.claude.com")

_log: Final = logging.getLogger(__name__)
_LARGEST_HEAD: Final = 8 * 1024
_HEAD_SECONDS: Final = 10
_CONNECT_SECONDS: Final = 30
_PIECE: Final = 64 * 1024
_REQUEST: Final = re.compile(rb"CONNECT ([A-Za-z0-9.-]{1,253}):(\d{1,5}) HTTP/1\.[01]")
_ACCEPTED: Final = re.compile(rb"HTTP/1\.[01] 2\d\d\b")


class Egress:
    """The proxy. ``start`` it, and ``close`` it at the end."""

    def __init__(self, allowed: Iterable[str], *, proxy: str | None, refused: Callable[[], None]) -> None:
        """Allow ``host`` (port 443) or ``host:port``, and go through ``proxy``; ``refused`` is called for others."""
        self.url = ""
        self._allowed = frozenset(entry.lower() if ":" in entry else f"{entry.lower()}:443" for entry in allowed)
        self._proxy = None if proxy is None else urlsplit(proxy)
        self._refused = refused
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LARGEST_HEAD)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._connect(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _connect(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = _REQUEST.match(head)
        host, port = ("", 0) if found is None else (found[1].decode().lower(), int(found[2]))
        if f"{host}:{port}" not in self._allowed:
            self._refused()
            emit(_log, "egress_refused", level=logging.WARNING, host=join_host_port(host, port))
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                there_reader, there_writer = await self._dial(host, port)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
            emit(_log, "egress_failed", level=logging.WARNING, host=host, error=type(error).__name__)
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            there_writer.close()

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a host, through the company's proxy if there is one."""
        if self._proxy is None:
            return await asyncio.open_connection(host, port)
        reader, writer = await asyncio.open_connection(
            self._proxy.hostname, self._proxy.port or 80, limit=_LARGEST_HEAD
        )
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if self._proxy.username is not None:
            pair = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        writer.write("\r\n".join((*lines, "", "")).encode())
        accepted = False
        try:
            accepted = _ACCEPTED.match(await reader.readuntil(b"\r\n\r\n")) is not None
        finally:
            if not accepted:
                writer.close()
        if not accepted:
            raise ConnectionError("the proxy refused the connection")
        return reader, writer


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_PIECE):
            sink.write(data)
            await sink.drain()
    with suppress(OSError):
        sink.write_eof() if sink.can_write_eof() else sink.close()
