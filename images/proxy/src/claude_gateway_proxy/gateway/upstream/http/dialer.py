"""Opens connections: names resolved, addresses tried in parallel, TLS, and the environment's HTTP proxies."""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote

from aiohappyeyeballs import AddrInfoType, start_connection
from yarl import URL

from claude_gateway_proxy.gateway.upstream.http.connection import Connection
from claude_gateway_proxy.gateway.upstream.http.request import Origin
from claude_gateway_proxy.gateway.upstream.http.resolver import Resolver
from claude_gateway_runtime import keepalive

CONNECT_SECONDS: Final = 10.0
"""The longest that an origin may take to accept a connection, TLS included."""

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long an address may take before the next one is tried in parallel (RFC 8305)."""

_TUNNEL_HEAD: Final = 16 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r)")


class ConnectTimeout(TimeoutError):  # noqa: N818 - named as what happened
    """No address of the origin accepted a connection in time."""


class NotConnected(OSError):  # noqa: N818 - named as what happened
    """There is no connection; ``__cause__`` says why."""


class ProxyError(OSError):
    """The HTTP proxy cannot be reached, or does not connect to the origin."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy of the environment. ``authorization`` is the value of the header for it; empty: none."""

    origin: Origin
    authorization: str = ""

    @classmethod
    def of(cls, text: str) -> "Proxy":
        """Read the value of an environment variable such as ``HTTPS_PROXY``. Raises ValueError for other proxies."""
        url = URL(text)
        if url.scheme not in ("http", "https") or not url.raw_host or url.port is None:
            raise ValueError(f"only HTTP proxies can be used, not {text.partition(':')[0]}")
        login = ""
        if url.raw_user is not None or url.raw_password is not None:
            pair = f"{unquote(url.raw_user or '')}:{unquote(url.raw_password or '')}"
            login = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(Origin(url.scheme, url.raw_host, url.port), login)


class Factory(Protocol):
    """Creates the protocol of a connection."""

    def __call__(self) -> Connection: ...


class Dialer:
    """Opens connections to origins whose addresses ``resolver`` allows; ``trust`` checks certificates."""

    def __init__(self, *, resolver: Resolver, trust: Callable[[], ssl.SSLContext]) -> None:
        self._resolver = resolver
        self._proxies = Resolver(None)
        self._trust = trust

    async def dial(self, origin: Origin, factory: Factory, *, proxy: Proxy | None) -> Connection:
        """Open a connection. Raises NotConnected, ProxyError, AddressRefused, or ConnectTimeout."""
        if proxy is None:
            addresses = await self._addresses(self._resolver, origin)
            return await _within(self._open(origin, addresses, factory))
        try:
            addresses = await self._addresses(self._proxies, proxy.origin)
            if origin.scheme == "http":
                return await _within(self._open(proxy.origin, addresses, factory))
            return await _within(self._tunnel(origin, proxy, addresses, factory))
        except (NotConnected, ConnectTimeout) as error:
            raise ProxyError(0, f"the proxy cannot be reached: {type(error.__cause__ or error).__name__}") from error

    async def _addresses(self, resolver: Resolver, origin: Origin) -> list[AddrInfoType]:
        try:
            return await resolver.resolve(origin.host, origin.port)
        except socket.gaierror as error:
            raise NotConnected(0, "the name is unknown") from error

    async def _open(
        self, origin: Origin, addresses: list[AddrInfoType], factory: Callable[[], asyncio.Protocol]
    ) -> Connection:
        loop = asyncio.get_running_loop()
        tls = origin.scheme == "https"
        try:
            connected = await start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1, loop=loop
            )
            keepalive.probe(connected)
            _, protocol = await loop.create_connection(
                factory,
                sock=connected,
                ssl=self._trust() if tls else None,
                server_hostname=origin.host if tls else None,
            )
        except OSError as error:
            raise NotConnected(0, "the connection failed") from error
        return cast("Connection", protocol)

    async def _tunnel(
        self, origin: Origin, proxy: Proxy, addresses: list[AddrInfoType], factory: Factory
    ) -> Connection:
        """Have a proxy connect to the origin (RFC 9110, 9.3.6), and start TLS through it."""
        loop = asyncio.get_running_loop()
        tunnel = cast("_Tunnel", await self._open(proxy.origin, addresses, _Tunnel))
        authority = f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"
        try:
            await tunnel.ask(authority, proxy.authorization)
            connection = factory()
            transport = await loop.start_tls(
                tunnel.transport, connection, self._trust(), server_hostname=origin.host, server_side=False
            )
        except BaseException as error:
            tunnel.transport.abort()
            if isinstance(error, OSError) and not isinstance(error, ProxyError):
                raise NotConnected(0, "the connection failed") from error
            raise
        if transport is None:
            raise NotConnected(0, "the connection failed")
        connection.connection_made(transport)
        return connection


class _Tunnel(asyncio.Protocol):
    """The connection to a proxy until it has answered to CONNECT."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._head = b""
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask(self, authority: str, authorization: str) -> None:
        """Request a connection. Raises ProxyError if the proxy does not open one."""
        login = f"proxy-authorization: {authorization}\r\n" if authorization else ""
        self.transport.write(f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{login}\r\n".encode())
        status = await self._status
        if not 200 <= status < 300:
            raise ProxyError(0, f"the proxy answered {status}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._status.done():
            return
        found = _STATUS.match(self._head)
        if b"\r\n\r\n" in self._head and found:
            self._status.set_result(int(found[1]))
        elif b"\r\n\r\n" in self._head or len(self._head) > _TUNNEL_HEAD:
            self._status.set_exception(ProxyError(0, "the proxy did not answer with HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a callback
        if not self._status.done():
            self._status.set_exception(ProxyError(0, "the proxy closed the connection"))


async def dial_unix(path: str, factory: Factory) -> Connection:
    """Open a connection to a Unix socket. Raises NotConnected."""
    try:
        _, connection = await asyncio.get_running_loop().create_unix_connection(factory, path)
    except OSError as error:
        raise NotConnected(0, "the connection failed") from error
    return connection


async def _within(opening: Coroutine[Any, Any, Connection]) -> Connection:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await opening
    except TimeoutError as error:
        raise ConnectTimeout(0, "no connection in time") from error
