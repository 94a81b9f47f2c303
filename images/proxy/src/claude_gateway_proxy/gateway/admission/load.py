"""The current load of a pod: requests in flight and the bytes of their bodies.

Both are limited, in total and for each client, so that a pod answers 529 before its memory is full, and so that one
client leaves room for the others.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from claude_gateway_proxy.gateway.errors import overloaded


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many requests may be in flight, and how many bytes their bodies may have together."""

    requests: int
    bytes: int


class _Total:
    __slots__ = ("bytes", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0


class Load:
    """Counts the load; created once at start."""

    def __init__(self, *, pod: Bounds, client: Bounds) -> None:
        """Bound the pod's load by ``pod``, and that of each client by ``client``."""
        self._pod, self._client = pod, client
        self._total = _Total()
        self._clients: dict[str, _Total] = {}

    def enter(self, client: str) -> "Held":
        """Count one more request, which its holder must release. Raises Failure (529) if it exceeds a limit."""
        if self._total.requests >= self._pod.requests:
            raise overloaded("it is answering as many requests as it can hold")
        own = self._clients.get(client)
        if own is None:
            own = self._clients[client] = _Total()
        elif own.requests >= self._client.requests:
            raise overloaded("it is answering as many requests of this client as one client may have")
        self._total.requests += 1
        own.requests += 1
        return Held(self, client)

    @property
    def busy(self) -> bool:
        """Whether more than half of the pod's capacity is in use, so that it skips optional work."""
        total, most = self._total, self._pod
        return total.requests * 2 > most.requests or total.bytes * 2 > most.bytes

    def take(self, client: str, size: int) -> None:
        """Count the bytes of a body as they arrive. Raises Failure (529) if they exceed a limit."""
        self.check(client, size)
        self._total.bytes += size
        self._clients[client].bytes += size

    def check(self, client: str, size: int) -> None:
        """Check that there is room for this many bytes. Raises Failure (529)."""
        if self._total.bytes + size > self._pod.bytes:
            raise overloaded("the bodies of its requests take all the memory that it has for them")
        if self._clients[client].bytes + size > self._client.bytes:
            raise overloaded("the bodies of this client's requests take all the memory that one client may have")

    def leave(self, client: str, size: int) -> None:
        """Remove one request and the bytes of its body from the count."""
        own = self._clients[client]
        self._total.requests -= 1
        self._total.bytes -= size
        own.requests -= 1
        own.bytes -= size
        if own.requests == 0:
            del self._clients[client]


class Held:
    """The load of one request; a context manager that releases it."""

    __slots__ = ("_bytes", "_client", "_load")

    def __init__(self, load: Load, client: str) -> None:
        self._load = load
        self._client = client
        self._bytes = 0

    def take(self, size: int) -> None:
        """Add bytes to the load. Raises Failure (529)."""
        self._load.take(self._client, size)
        self._bytes += size

    def check(self, size: int) -> None:
        """Check that there is room for a body of a declared length. Raises Failure (529)."""
        self._load.check(self._client, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._load.leave(self._client, self._bytes)
