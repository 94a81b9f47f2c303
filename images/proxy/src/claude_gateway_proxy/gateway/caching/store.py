"""What keeps answers: a small protocol, so that the memory of a pod is one store among several."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from claude_gateway_runtime.asgi import Headers

_OVERHEAD: Final = 512
"""Bytes that an entry needs beside its body and headers: the key, the objects, its place in the order."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole answer as a client got it. ``at`` is when it ended, in Unix time."""

    status: int
    headers: Headers
    body: bytes
    at: float

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, about."""
        return _OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


class Store(Protocol):
    """Keeps answers by key until they are too old. It may forget any answer at any time."""

    async def get(self, key: bytes) -> Kept | None:
        """Return the answer under a key; None if there is none, or if the store is away."""
        ...

    async def put(self, key: bytes, answer: Kept, *, ttl: float) -> None:
        """Keep an answer for ``ttl`` seconds."""
        ...

    async def close(self) -> None:
        """Let go of what the store needs."""
        ...


class Memory:
    """The store of one process, bounded in bytes; the answer that was used longest ago is forgotten first."""

    def __init__(self, *, limit: int, clock: Callable[[], float]) -> None:
        """Keep up to ``limit`` bytes; ``clock`` returns seconds and never goes back."""
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
        """Keep an answer; one that is larger than the store is not kept."""
        if key in self._entries:
            self._drop(key)
        if answer.size > self._limit:
            return
        self._entries[key] = (answer, self._clock() + ttl)
        self.size += answer.size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size = 0

    def _drop(self, key: bytes) -> None:
        answer, _ = self._entries.pop(key)
        self.size -= answer.size
