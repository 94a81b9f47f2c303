"""Certificates that a proxy in front of the gateway passes in a header: taken from trusted proxies, dropped otherwise.

Anybody who can send the header can impersonate every client, so it counts only from a listed network, or with a secret;
if both are configured, both are required. It is removed before anything else sees the request, whoever sent it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from claude_gateway.names import HEADER_PROXY_SECRET
from claude_gateway_proxy.gateway.auth.presented import FORWARDED, Form, Presented
from claude_gateway_proxy.gateway.auth.proxy_secret import ProxySecret
from claude_gateway_runtime.asgi import Receive, Scope, Send
from claude_gateway_runtime.server.protocol import App

_SECRET: Final = HEADER_PROXY_SECRET.encode()
_ADDRESSES: Final = 4096
"""The most addresses for which it is cached whether they belong to a proxy."""


@dataclass(frozen=True, slots=True)
class CertificateHeader:
    """A header with a client's certificate; ``verified`` names another one that must be `SUCCESS`, if there is one."""

    form: Form
    name: str
    verified: str = ""


HEADERS: Final[Mapping[str, CertificateHeader]] = {
    "rfc9440": CertificateHeader(Form.RFC9440, "client-cert"),
    "xfcc": CertificateHeader(Form.XFCC, "x-forwarded-client-cert"),
    # nginx also passes certificates that it could not verify, and says so in another header.
    "nginx": CertificateHeader(Form.PEM, "ssl-client-cert", verified="ssl-client-verify"),
    "pem": CertificateHeader(Form.PEM, ""),
}
"""By the format that a setting names, with the usual names of the headers."""


def checked_network(text: str) -> str:
    """Return a network as it is written in settings. Raises ValueError."""
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("must be an address or a network without host bits, such as 10.1.2.0/28") from None
    return text


class Proxies:
    """Adds the certificates that trusted proxies present to the scopes of an application's requests."""

    def __init__(
        self, app: App, *, header: CertificateHeader, networks: Sequence[str], secret: ProxySecret | None
    ) -> None:
        """Wrap ``app``. At least one of ``networks`` and ``secret`` defines which proxies are trusted."""
        if not networks and secret is None:
            raise ValueError("no setting says which proxies are trusted")
        self._app = app
        self._form, self._verified = header.form, header.verified.encode()
        self._name = header.name.encode()
        self._dropped = frozenset({self._name, _SECRET, self._verified} - {b""})
        self._networks = tuple(ip_network(network) for network in networks)
        self._secret = secret
        self._is_listed = lru_cache(_ADDRESSES)(self._within)

    @property
    def draining(self) -> bool:
        """Whether each connection should end with its current answer."""
        return self._app.draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found: dict[bytes, list[bytes]] = {}
        kept: list[tuple[bytes, bytes]] = []
        for header in scope["headers"]:
            if header[0] in self._dropped:
                found.setdefault(header[0], []).append(header[1])
            else:
                kept.append(header)
        scope["headers"] = kept
        if self._is_trusted(scope, found.get(_SECRET, ())):
            scope[FORWARDED] = self._passed(found)
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope, secrets: Sequence[bytes]) -> bool:
        if self._networks and not (scope["client"] and self._is_listed(scope["client"][0])):
            return False
        return self._secret is None or (len(secrets) == 1 and self._secret.matches(secrets[0]))

    def _passed(self, found: Mapping[bytes, Sequence[bytes]]) -> Presented | None:
        if self._verified and list(found.get(self._verified, ())) != [b"SUCCESS"]:
            return None
        values = found.get(self._name, ())
        if len(values) > 1:
            # The proxy added the header to the one that its client sent: it is unknown which one is the proxy's.
            return Presented(self._form, b"", wrong="its header came more than once")
        value = values[0].strip() if values else b""
        return Presented(self._form, value) if value else None

    def _within(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
