"""Where this process may connect to, enforced below LiteLLM and every library that it uses.

An audit hook sees each ``connect`` of Python's sockets, which is why the event loop is asyncio's own: uvloop connects
without it. The hook sees addresses, so what a host name resolved to is judged, whoever resolved it. Redirects, which
LiteLLM's HTTP clients would follow with some of the target's credentials, are not followed at all.
"""

import errno
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import refused

_NOTHING: Final = Egress()
_PORTS: Final = {"http": 80, "https": 443}
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class AddressRefused(PermissionError):  # noqa: N818 - one word for it in both processes
    """A connection that the egress rule forbids; an OSError, so that HTTP clients report it like any other."""

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, f"no connection may be made to {address}")


@dataclass(frozen=True, slots=True)
class Dial:
    """Where the request at hand is meant to go: the host and port of its target's base URL."""

    host: str
    port: int


dialled: Final[ContextVar[Dial | None]] = ContextVar("dialled", default=None)
"""Set for each request; tasks and threads that serve the request inherit it."""


def dial(base_url: str | None) -> Dial | None:
    """The host and port of a base URL; None for a target at its provider's own address."""
    parts = urlsplit(base_url or "")
    if not parts.hostname:
        return None
    return Dial(host=parts.hostname, port=parts.port or _PORTS.get(parts.scheme, 0))


def forbidden(address: str, port: int, *, egress: Egress, meant: Dial | None, proxies: frozenset[Dial]) -> bool:
    """Whether a connection must not be made.

    What ``egress`` allows beyond ordinary addresses is allowed to the host and port of the request's own target only:
    nothing that a client wrote into a request can lead there.
    """
    if not refused(address, _NOTHING, "") or Dial(address, port) in proxies:
        return False
    return meant is None or port != meant.port or refused(address, egress, meant.host)


def install(egress: Callable[[], Egress], environ: Mapping[str, str]) -> None:
    """Judge every connection of this process from now on; cannot be undone. ``egress`` is asked each time."""
    proxies = frozenset(_addresses(environ))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connecting, address = arguments
        if connecting.family == socket.AF_UNIX:
            return
        host, port = str(address[0]), int(address[1])
        if forbidden(host, port, egress=egress(), meant=dialled.get(), proxies=proxies):
            raise AddressRefused(host)

    sys.addaudithook(hook)
    # Every httpx client asks its response this before it follows, whatever it was told at its making.
    httpx.Response.has_redirect_location = property(lambda _: False)  # type: ignore[assignment,method-assign]


def _addresses(environ: Mapping[str, str]) -> Iterable[Dial]:
    """The addresses of the configured proxies; a name that does not resolve now is no exception to the rule."""
    for name in _PROXIES:
        proxy = dial(environ.get(name) or environ.get(name.lower()))
        if proxy is None:
            continue
        try:
            found = socket.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
        except OSError:
            continue
        for *_, address in found:
            yield Dial(host=str(address[0]), port=proxy.port)
