"""Enforces the egress rule of this process below LiteLLM and every library that it uses.

An audit hook sees each ``connect`` of Python's sockets, which is why the event loop is asyncio's own: uvloop connects
without it. The hook sees addresses, so resolved host names are checked, too, whoever resolved them. Redirects, which
LiteLLM's HTTP clients would follow with some of the target's credentials, are not followed at all.
"""

import errno
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from claude_gateway.contract.addresses import IDENTITY_SERVICES
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
    """The destination of the current request: the host and port of its target's base URL."""

    host: str
    port: int


_IDENTITY: Final = frozenset(Dial(host, 80) for host in IDENTITY_SERVICES)

dialled: Final[ContextVar[Dial | None]] = ContextVar("dialled", default=None)
"""Set for each request; tasks and threads that serve the request inherit it."""


def dial(base_url: str | None) -> Dial | None:
    """The host and port of a base URL; None for a target at its provider's own address."""
    parts = urlsplit(base_url or "")
    if not parts.hostname:
        return None
    return Dial(host=parts.hostname, port=parts.port or _PORTS.get(parts.scheme, 0))


_fetching: Final[ContextVar[bool]] = ContextVar("fetching", default=False)


@contextmanager
def fetching() -> Iterator[None]:
    """A context in which this thread may fetch a cloud identity, from addresses that are otherwise refused."""
    before = _fetching.set(True)
    try:
        yield
    finally:
        _fetching.reset(before)


def forbidden(address: str, port: int, *, egress: Egress, meant: Dial | None, proxies: frozenset[Dial]) -> bool:
    """Whether a connection must not be made.

    Addresses that ``egress`` allows in addition are allowed only for the host and port of the request's own target:
    nothing in a client's request can lead there.
    """
    if not refused(address, _NOTHING, "") or Dial(address, port) in proxies:
        return False
    return meant is None or port != meant.port or refused(address, egress, meant.host)


def forbidden_to_fetch(address: str, port: int, *, egress: Egress, identity: frozenset[Dial]) -> bool:
    """Whether an identity must not be fetched from an address: the clouds' own and what ``egress`` allows may be asked.

    No client and no route author names these: environment and key files do, and the control plane checks the files.
    """
    return Dial(address, port) not in identity and refused(address, egress, "")


def install(egress: Callable[[], Egress], environ: Mapping[str, str]) -> None:
    """Check every connection of this process from now on; cannot be undone. ``egress`` is called each time."""
    proxies = frozenset(_addresses(environ.get(name) or environ.get(name.lower()) for name in _PROXIES))
    identity = _IDENTITY | frozenset(_addresses(_identity_urls(environ)))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "socket.connect":
            return
        connecting, address = arguments
        if connecting.family == socket.AF_UNIX:
            return
        host, port = str(address[0]), int(address[1])
        if not forbidden(host, port, egress=egress(), meant=dialled.get(), proxies=proxies):
            return
        if not _fetching.get() or forbidden_to_fetch(host, port, egress=egress(), identity=identity):
            raise AddressRefused(host)

    sys.addaudithook(hook)
    # Every httpx client reads this property before it follows a redirect, whatever its settings.
    httpx.Response.has_redirect_location = property(lambda _: False)  # type: ignore[assignment,method-assign]


def _identity_urls(environ: Mapping[str, str]) -> Iterator[str | None]:
    """Where the environment says that the pod's identity is; the installation writes it, or the cloud's own webhook."""
    yield environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    yield environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"):
        yield f"http://{environ[name]}" if environ.get(name) else None


def _addresses(urls: Iterable[str | None]) -> Iterator[Dial]:
    """The addresses of servers; a name that does not resolve now is allowed no other address later."""
    for url in urls:
        server = dial(url)
        if server is None:
            continue
        try:
            found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        except OSError:
            continue
        for *_, address in found:
            yield Dial(host=str(address[0]), port=server.port)
