"""The connections of one listener: which of them wait for a request, and how many each address has."""

from ipaddress import IPv6Address
from typing import Final, Protocol

_HOST_BITS: Final = 64
"""Bits of an IPv6 address that a single host may choose by itself (RFC 4291, 2.5.1)."""


class Connection(Protocol):
    """One connection, which the crowd may close."""

    def make_room(self) -> None:
        """Close the connection."""


class Origin:
    """The connections of one address; ``waiting`` are those that wait for a request or its head, longest first."""

    __slots__ = ("connections", "name", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.waiting: dict[Connection, None] = {}


class Crowd:
    """Keeps the connections within ``most`` in total and ``most_of_one`` for each address; 0 means no limit.

    Above a limit, the connection that has waited longest is closed: one of the same address, if that has too many. If
    none waits, the new one is closed.
    """

    def __init__(self, *, most: int = 0, most_of_one: int = 0) -> None:
        """Start without connections."""
        self._most, self._most_of_one = most, most_of_one
        self._origins: dict[str, Origin] = {}
        self._waiting: dict[Connection, None] = {}
        self._connections = 0

    @property
    def waiting(self) -> bool:
        """Whether any connection waits for a request or its head."""
        return bool(self._waiting)

    def enter(self, connection: Connection, host: str) -> Origin:
        """Count a new connection, which waits; return the connections of its address."""
        name = _name(host)
        origin = self._origins.get(name)
        if origin is None:
            origin = self._origins[name] = Origin(name)
        origin.connections += 1
        self._connections += 1
        self.wait(connection, origin)
        if 0 < self._most_of_one < origin.connections:
            _first(origin.waiting).make_room()
        elif 0 < self._most < self._connections:
            _first(self._waiting).make_room()
        return origin

    def leave(self, connection: Connection, origin: Origin) -> None:
        """Remove a connection from the count."""
        self.rise(connection, origin)
        self._connections -= 1
        origin.connections -= 1
        if not origin.connections:
            del self._origins[origin.name]

    def wait(self, connection: Connection, origin: Origin) -> None:
        """Add a connection at the end of those that wait."""
        self._waiting[connection] = origin.waiting[connection] = None

    def rise(self, connection: Connection, origin: Origin) -> None:
        """Remove a connection from those that wait, if it is one of them."""
        self._waiting.pop(connection, None)
        origin.waiting.pop(connection, None)


def _first(waiting: dict[Connection, None]) -> Connection:
    return next(iter(waiting))


def _name(host: str) -> str:
    """The address, or the network of an IPv6 host; IPv4 in IPv6, as dual sockets show it, is IPv4."""
    if ":" not in host:
        return host
    address = IPv6Address(host)
    return str(address.ipv4_mapped or IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS))
