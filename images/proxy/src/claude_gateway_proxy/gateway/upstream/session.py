"""Connections to upstreams: where they may go, how long they are kept, and the only way to send a request.

An aiohttp session per egress rule: a connection that was allowed by an older rule is never used under a newer one.
"""

import socket
import time
import urllib.request
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, AbstractStreamWriter, ResolveResult
from aiohttp.payload import Payload
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.nearby import is_near
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import host_refused, refused
from claude_gateway_proxy.unreachable import Obstacle, Unreachable

CONNECT_SECONDS: Final = 10.0
"""The longest that one address may take to accept a connection, TLS included."""

_KEEP_ALIVE_SECONDS: Final = 30.0
_DNS_SECONDS: Final = 10
_STALE_SECONDS: Final = 1.0
"""A stale connection fails within a round trip; one that breaks later was already answering the request."""

_HOSTS: Final = 1024
"""Hosts whose check is remembered; a bundle seldom has more."""
_PROXY_SCHEMES: Final = ("http://", "https://")
_HEADERS_LIMIT: Final = 32 * 1024
_OURS: Final = ("Accept", "User-Agent", "Content-Type", "Accept-Encoding")
"""Headers that aiohttp would add by itself; the upstream gets the client's own, or none."""


class AddressRefused(OSError):  # noqa: N818 - named as what happened
    """The egress rule allows none of the addresses of a host."""


class JsonPayload(Payload):
    """A body that is completely in memory; aiohttp's own payload warns above 1 MiB, which prompts often exceed."""

    _value: bytes
    _autoclose = True

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body in one piece."""
        await writer.write(self._value)


class GuardedResolver(AbstractResolver):
    """Resolves names to those of their addresses that the egress rule allows."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses. Raises AddressRefused where there is none, OSError where the name is unknown."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [result for result in found if not refused(result["host"], self._egress, host)]
        if found and not allowed:
            raise AddressRefused(f"{host} resolves to addresses that may not be called")
        return allowed

    async def close(self) -> None:
        """Close the resolver behind this one."""
        await self._resolver.close()


class Upstreams:
    """Sessions to upstreams under one egress rule: a direct one, and one through the environment's HTTP proxies.

    Behind a proxy, the proxy resolves names, so that the rule can be applied only to hosts as they are written.
    """

    def __init__(self, egress: Egress) -> None:
        # Parsing an address costs more than the rest of the check, and a route's address is the same in every request.
        self._refuses: Callable[[str, bool], bool] = lru_cache(_HOSTS)(partial(_host_refused, egress))
        self._proxies = urllib.request.getproxies_environment()
        self._direct = _session(aiohttp.TCPConnector(resolver=GuardedResolver(egress), **_connector()))
        self._proxied = _session(aiohttp.TCPConnector(**_connector())) if self._proxies else None

    async def send(self, url: URL, *, headers: CIMultiDict[str], body: bytes) -> aiohttp.ClientResponse:
        """POST and wait for the head of the answer.

        Raises AddressRefused, or Unreachable, aiohttp.ClientError or OSError where no answer came.
        """
        proxy = self._proxy_for(url)
        host = url.raw_host or ""
        if self._refuses(host, proxy is not None):
            raise AddressRefused(f"{host} may not be called")
        if proxy is not None and not proxy.lower().startswith(_PROXY_SCHEMES):
            raise Unreachable(Obstacle.PROXY, f"only HTTP proxies can be used, not {proxy.partition(':')[0]}")
        session = self._proxied if proxy and self._proxied is not None else self._direct
        began = time.monotonic()
        try:
            return await _post(session, url, headers=headers, body=body, proxy=proxy)
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, AddressRefused):
                raise error.os_error from None
            raise
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if time.monotonic() - began > _STALE_SECONDS:
                raise
            # Usually a kept connection that the server closed just now, before it read this request: send it again.
            return await _post(session, url, headers=headers, body=body, proxy=proxy)

    async def close(self) -> None:
        """Close every connection."""
        await self._direct.close()
        if self._proxied is not None:
            await self._proxied.close()

    def _proxy_for(self, url: URL) -> str | None:
        if not self._proxies or is_near(url.raw_host or ""):
            return None
        if urllib.request.proxy_bypass(f"{url.raw_host}:{url.port}", self._proxies):
            return None
        return self._proxies.get(url.scheme) or self._proxies.get("all")


def _host_refused(egress: Egress, host: str, proxied: bool) -> bool:
    """Whether the egress rule refuses a host that our resolver never sees: an address, or a name for a proxy."""
    # What aiohttp takes for an address: it connects to such a host in any spelling that `inet_aton` knows.
    literal = ":" in host or host.replace(".", "").isdigit()
    return (literal or proxied) and host_refused(host, egress)


async def _post(
    session: aiohttp.ClientSession, url: URL, *, headers: CIMultiDict[str], body: bytes, proxy: str | None
) -> aiohttp.ClientResponse:
    return await session.post(url, headers=headers, data=JsonPayload(body), proxy=proxy, allow_redirects=False)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_OURS,
        max_line_size=_HEADERS_LIMIT,
        max_field_size=_HEADERS_LIMIT,
        # Only connecting has a time limit here; the exchange applies the route's limits.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


def unix_session(path: str) -> aiohttp.ClientSession:
    """A session to a server on a Unix socket."""
    return _session(aiohttp.UnixConnector(path, limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS))


def _connector() -> Mapping[str, Any]:
    return {
        # No limit: a stream may last for minutes, and a request must not wait for the end of another.
        "limit": 0,
        "keepalive_timeout": _KEEP_ALIVE_SECONDS,
        "ttl_dns_cache": _DNS_SECONDS,
        # Certificates: aiohttp's default context has OpenSSL's own paths, so that SSL_CERT_FILE names a private CA.
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
