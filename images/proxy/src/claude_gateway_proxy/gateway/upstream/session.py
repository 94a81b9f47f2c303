"""Connections to upstreams: the check of their addresses, and the only way to send a request.

There is a client per egress rule: a connection that was allowed by an older rule is never used under a newer one.
"""

import ssl
import time
import urllib.request
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Final

from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.nearby import is_near
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import host_refused
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.http.client import Client
from claude_gateway_proxy.gateway.upstream.http.connection import ConnectionClosed
from claude_gateway_proxy.gateway.upstream.http.dialer import Dialer, Proxy
from claude_gateway_proxy.gateway.upstream.http.request import address_of, head_of
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused, Resolver
from claude_gateway_proxy.unreachable import Obstacle, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

_STALE_SECONDS: Final = 1.0
"""A stale connection fails within a round trip; one that breaks later was already answering the request."""

_HOSTS: Final = 1024
"""The most hosts whose check is cached; a bundle rarely has more."""


@cache
def _trust() -> ssl.SSLContext:
    """How certificates are checked: OpenSSL's own paths, so that SSL_CERT_FILE names a private CA."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


_proxy: Final = cache(Proxy.of)
"""Reads a proxy of the environment, which is the same for every request."""


class Upstreams:
    """Connections under one egress rule: direct ones, and those through the environment's HTTP proxies.

    Behind a proxy, the proxy resolves names, so that the rule can be applied only to hosts as they are written.
    """

    def __init__(self, egress: Egress) -> None:
        # Parsing an address costs more than the rest of the check, and a route's address is the same in every request.
        self._refuses: Callable[[str, bool], bool] = lru_cache(_HOSTS)(partial(_host_refused, egress))
        self._proxies = urllib.request.getproxies_environment()
        self._client = Client()
        self._dialer = Dialer(resolver=Resolver(egress), trust=_trust)

    async def send(self, url: URL, *, headers: CIMultiDict[str], body: bytes, method: str = "POST") -> HttpAnswer:
        """Send a request and wait for the head of the answer.

        Raises AddressRefused, or Unreachable, OSError or ValueError if no answer came.
        """
        address = address_of(url)
        origin = address.origin
        proxy = self._proxy_for(url) if self._proxies else None
        if self._refuses(origin.host, proxy is not None):
            raise AddressRefused(f"{origin.host} may not be called")
        absolute = proxy is not None and origin.scheme == "http"
        if proxy is not None and proxy.authorization and absolute:
            headers["proxy-authorization"] = proxy.authorization
        head = head_of(address, headers.items(), length=len(body), absolute=absolute, method=method)
        key, dial = (origin, proxy), partial(self._dialer.dial, origin, proxy=proxy)
        began = time.monotonic()
        try:
            return await self._client.post(key, head, body, dial=dial)
        except ConnectionClosed as error:
            if not error.unused or time.monotonic() - began > _STALE_SECONDS:
                raise
            # The server closed a pooled connection before it read this request: send it again.
            return await self._client.post(key, head, body, dial=dial, fresh=True)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _proxy_for(self, url: URL) -> Proxy | None:
        """Return the environment's proxy for a URL. Raises Unreachable if its kind is not supported."""
        if is_near(url.raw_host or ""):
            return None
        if urllib.request.proxy_bypass(f"{url.raw_host}:{url.port}", self._proxies):
            return None
        text = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not text:
            return None
        try:
            return _proxy(text)
        except ValueError as error:
            raise Unreachable(Obstacle.PROXY, str(error)) from None


def _host_refused(egress: Egress, host: str, proxied: bool) -> bool:
    """Whether the egress rule refuses a host that our resolver never sees: an address, or a name for a proxy."""
    # `getaddrinfo` reads such a host as an address, in any form that `inet_aton` accepts.
    literal = ":" in host or host.replace(".", "").isdigit()
    return (literal or proxied) and host_refused(host, egress)
