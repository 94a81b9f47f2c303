"""The queue of requests that found a limit reached: they wait for a bounded time and in bounded numbers."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Refused, Taken
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand
from claude_gateway_proxy.gateway.admission.line import Line, Waiter

POLL_SECONDS: Final = 0.25
"""How often to check for a free slot: other processes that count, too, do not announce one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may wait, in seconds, and how many requests of one client may wait at one time."""

    seconds: float = 10.0
    requests: int = 100


class Queue:
    """Takes demands in turn. A request that is cancelled while it waits has taken nothing and blocks no other."""

    def __init__(self, counters: Counters, patience: Patience) -> None:
        self._counters = counters
        self._patience = patience
        self._lines: dict[str, Line] = {}
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many requests wait."""
        return sum(self._waiting.values())

    async def take(
        self, demands: Sequence[Demand], *, holder: str, client: str, batch: bool, waited: Callable[[float], None]
    ) -> Taken | Refused:
        """Take all demands, at once if there is room and no other request waits for it; otherwise in turn.

        ``waited`` is called with the seconds of a wait. The ``retry_after`` of a rejected request includes the time
        that the requests before it need. Raises UnavailableError.
        """
        key = next((each.key for each in demands if each.key in self._lines), None)
        refused: Refused | None = None
        if key is not None and not demands[_index(demands, key)].waits:
            return Refused(_index(demands, key), 0.0)
        if key is None:
            result = await self._counters.take(demands, holder=holder)
            if isinstance(result, Taken) or not demands[result.index].waits:
                return result
            refused, key = result, demands[result.index].key
        waiter = Waiter(demands, holder, client, batch)
        if self._waiting.get(client, 0) >= self._patience.requests:
            return Refused(_index(demands, key), self._expected(key, waiter, refused))
        began = asyncio.get_running_loop().time()
        self._waiting[client] = self._waiting.get(client, 0) + 1
        try:
            return await self._wait(waiter, key, refused, until=began + self._patience.seconds)
        finally:
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]
            waited(asyncio.get_running_loop().time() - began)

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], *, holder: str) -> None:
        """Settle, and wake the requests that wait for what may be free now."""
        self._counters.settle(demands, actual, holder=holder)
        for demand in demands if self._lines else ():
            if (line := self._lines.get(demand.key)) is not None:
                line.wake()

    async def _wait(self, waiter: Waiter, key: str, refused: Refused | None, *, until: float) -> Taken | Refused:
        """Wait in the line of each limit that has no room, one after the other."""
        while True:
            result = await self._stand(waiter, key, refused, until=until)
            if isinstance(result, str):
                key, refused = result, None
                continue
            if isinstance(result, Taken):
                return result
            demand = waiter.demands[result.index]
            if demand.key == key or not demand.waits:
                return result
            key, refused = demand.key, result

    async def _stand(self, waiter: Waiter, key: str, refused: Refused | None, *, until: float) -> Taken | Refused | str:
        """Wait in one line. Returns the last result of its limit, the first refusal by another one, or the next line.

        ``refused`` is the refusal that the limit of this line has just returned, if any.
        """
        now, index = asyncio.get_running_loop().time, _index(waiter.demands, key)
        expected_at = now() + self._expected(key, waiter, refused)
        line = self._lines.setdefault(key, Line(key))
        line.add(waiter)
        served = False
        try:
            while True:
                at = expected_at
                if line.head is waiter:
                    further = None if refused else self._further(waiter, index)
                    if further is not None:
                        return further
                    result = refused or await self._counters.take(waiter.demands, holder=waiter.holder)
                    if isinstance(result, Taken):
                        served = True
                        return result
                    if result.index != index:
                        return result
                    at = expected_at = now() + result.retry_after
                    line.free_at = at if result.retry_after else None
                    at = line.free_at or now() + POLL_SECONDS
                if now() >= until or expected_at > until:
                    return Refused(index, max(0.0, expected_at - now()))
                refused = None
                waiter.turn.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(min(at, until) if line.head is waiter else until):
                        await waiter.turn.wait()
        finally:
            line.remove(waiter, served=served)
            if line.head is None:
                del self._lines[key]
            line.wake()

    def _further(self, waiter: Waiter, index: int) -> str | None:
        """Return the key of a later demand for which others wait already: they come first."""
        return next((each.key for each in waiter.demands[index + 1 :] if each.key in self._lines), None)

    def _expected(self, key: str, waiter: Waiter, refused: Refused | None) -> float:
        """Return the seconds until there is room for a request that joins a line now; 0 if that is unknown."""
        line = self._lines.get(key)
        if line is None:
            return 0.0 if refused is None else refused.retry_after
        demand = waiter.demands[_index(waiter.demands, key)]
        if not isinstance(demand, Bucket) or line.free_at is None:
            return 0.0
        units = line.units_before(waiter) + demand.units
        return max(0.0, line.free_at - asyncio.get_running_loop().time()) + units * 60 / demand.per_minute


def _index(demands: Sequence[Demand], key: str) -> int:
    return next(index for index, demand in enumerate(demands) if demand.key == key)
