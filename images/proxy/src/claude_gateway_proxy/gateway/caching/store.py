"""The protocol of stores for cached answers, and the store in the memory of a pod."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from claude_gateway_runtime.asgi import Headers

_OVERHEAD: Final = 512
"""The bytes that an entry needs besides its body and headers: the key, the objects, its place in the order."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A complete answer as a client got it. ``at`` is when it ended, in Unix time."""

    status: int
    headers: Headers
    body: bytes
    at: float

    @property
    def size(self) -> int:
        """Roughly the bytes that it takes in memory."""
        return _OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


class Store(Protocol):
    """Stores answers by key until they expire. It may evict any answer at any time."""

    async def get(self, key: bytes) -> Kept | None:
        """Return the answer under a key; None if there is none, or if the store is away."""
        ...

    async def put(self, key: bytes, answer: Kept, *, ttl: float) -> None:
        """Store an answer for ``ttl`` seconds."""
        ...

    async def close(self) -> None:
        """Close the store's resources."""
        ...


class Memory:
    """The store of one process, limited in bytes; the least recently used answer is evicted first."""

    def __init__(self, *, limit: int, clock: Callable[[], float]) -> None:
        """Store up to ``limit`` bytes; ``clock`` returns monotonic seconds."""
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[Kept, float]] = OrderedDict()
        self.size = 0

    async def get(self, key: bytes) -> Kept | None:
        """Return the answer under a key."""
        found = self._entries.get(key)
        if found is None:
            return None
        answer, until = found
        if self._clock() >= until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return answer

    async def put(self, key: bytes, answer: Kept, *, ttl: float) -> None:
        """Store an answer, unless it is larger than the store."""
        if key in self._entries:
            self._drop(key)
        if answer.size > self._limit:
            return
        self._entries[key] = (answer, self._clock() + ttl)
        self.size += answer.size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    async def close(self) -> None:
        """Remove everything."""
        self._entries.clear()
        self.size = 0

    def _drop(self, key: bytes) -> None:
        answer, _ = self._entries.pop(key)
        self.size -= answer.size
