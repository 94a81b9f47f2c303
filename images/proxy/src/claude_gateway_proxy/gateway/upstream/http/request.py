"""The bytes of a request's head, and the origin that it goes to."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from yarl import URL

_ADDRESSES: Final = 4096
"""The most parsed addresses in the cache: a target's is the same in every request, unless it names the model."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The peer of a connection: connections to one origin serve all its paths."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL: its origin, and the parts of the head that follow from it.

    ``authority`` is host and port as the ``host`` header has them; ``path`` includes the query.
    """

    origin: Origin
    authority: str
    path: str


@lru_cache(_ADDRESSES)
def address_of(url: URL) -> Address:
    """Parse a URL. Raises ValueError for one without a host, or with a scheme other than HTTP's."""
    host, port = url.raw_host, url.port
    if url.scheme not in ("http", "https") or not host or port is None:
        raise ValueError("the address is not an HTTP URL with a host")
    return Address(Origin(url.scheme, host, port), url.host_port_subcomponent or host, url.raw_path_qs)


def head_of(
    address: Address, headers: Iterable[tuple[str, str]], *, length: int, absolute: bool = False, method: str = "POST"
) -> bytes:
    """Return the head of a request with a body of ``length`` bytes.

    ``absolute``: the request line names the whole URL, as proxies of plain HTTP want it. Raises ValueError if a header
    contains a line break, which would begin another header.
    """
    target = f"http://{address.authority}{address.path}" if absolute else address.path
    lines = [f"{method} {target} HTTP/1.1", f"host: {address.authority}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += (f"content-length: {length}", "", "")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("a header contains a line break or a NUL")
    return head.encode()
