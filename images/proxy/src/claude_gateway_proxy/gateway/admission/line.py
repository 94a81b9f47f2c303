"""The requests that wait for one limit, in the order in which they are admitted.

Interactive requests come before those of batch clients. The clients of a class take turns, so that a client's next
request waits for at most one request of each other client, however many that one has waiting.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand


@dataclass(eq=False, slots=True)
class Waiter:
    """One request that waits; ``turn`` is set when it should check whether there is room."""

    demands: Sequence[Demand]
    holder: str
    client: str
    batch: bool
    turn: asyncio.Event = field(default_factory=asyncio.Event)

    def units(self, key: str) -> int:
        """Return the units that it demands of a bucket; 1 for any other demand."""
        demand = next(each for each in self.demands if each.key == key)
        return demand.units if isinstance(demand, Bucket) else 1


_Turns = dict[str, dict[Waiter, None]]
"""The requests of each client, in order; the client whose turn it is comes first."""


class Line:
    """The requests that wait for the limit with one key. ``free_at`` is when there is room for the first of them (loop
    time); None if that is unknown.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.free_at: float | None = None
        self._interactive: _Turns = {}
        self._batch: _Turns = {}

    @property
    def head(self) -> Waiter | None:
        """The request whose turn it is."""
        for turns in (self._interactive, self._batch):
            for waiting in turns.values():
                return next(iter(waiting))
        return None

    def add(self, waiter: Waiter) -> None:
        """Add a request behind those of its client."""
        self._turns(waiter).setdefault(waiter.client, {})[waiter] = None

    def remove(self, waiter: Waiter, *, served: bool) -> None:
        """Remove a request; ``served``: it was admitted, so it is the next client's turn."""
        turns = self._turns(waiter)
        waiting = turns[waiter.client]
        del waiting[waiter]
        if served or not waiting:
            del turns[waiter.client]
            if waiting:
                turns[waiter.client] = waiting

    def wake(self) -> None:
        """Wake the first request, which checks whether there is room."""
        if (head := self.head) is not None:
            head.turn.set()

    def units_before(self, waiter: Waiter) -> int:
        """Return the units of the requests that are admitted before one that joins now, without the first."""
        head = self.head
        return sum(each.units(self.key) for each in self._before(waiter) if each is not head)

    def _before(self, waiter: Waiter) -> Iterator[Waiter]:
        if waiter.batch:
            for waiting in self._interactive.values():
                yield from waiting
        turns = self._turns(waiter)
        own = len(turns.get(waiter.client, ()))
        for client, waiting in turns.items():
            most = own if client == waiter.client else own + 1
            for _, each in zip(range(most), waiting, strict=False):
                yield each

    def _turns(self, waiter: Waiter) -> _Turns:
        return self._batch if waiter.batch else self._interactive
