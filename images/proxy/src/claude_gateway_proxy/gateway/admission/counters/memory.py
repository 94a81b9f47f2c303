"""Counters in the memory of this process: exact for one process, a share of each limit if there are several."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken
from claude_gateway_proxy.gateway.admission.demand import TICKS, Bucket, Demand, Purse, Slots

KEPT_SECONDS: Final = 3600
"""How long a purse is kept after its window, for requests that end later."""

_SWEPT: Final = 256
"""The number of keys kept before a check which of them are still needed."""


@dataclass(slots=True)
class _Level:
    """The content of a bucket: ticks, and the time in milliseconds at which it was measured."""

    ticks: int = 0
    at: int = 0
    per_minute: int = 1

    def drain(self, now: int, per_minute: int) -> int:
        """Remove what drained until ``now``, and return what is left."""
        self.ticks = max(0, self.ticks - max(0, now - self.at) * per_minute)
        self.at, self.per_minute = now, per_minute
        return self.ticks


@dataclass(slots=True)
class _Account:
    """What is spent and reserved of a purse."""

    ends_at: int
    spent: int = 0
    reserved: int = 0


@dataclass(slots=True)
class _State:
    levels: dict[str, _Level] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, _Account] = field(default_factory=dict)


class MemoryCounters:
    """Counts for one process. ``clock`` returns monotonic seconds, ``unix`` Unix time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, unix: Callable[[], float] = time.time) -> None:
        self._clock, self._unix = clock, unix
        self._state = _State()
        self._holders: set[str] = set()
        self._sweep_above = _SWEPT

    async def take(self, demands: Sequence[Demand], *, holder: str) -> Taken | Refused:
        """Take all demands or none, without waiting."""
        now = int(self._clock() * 1000)
        before: list[int] = []
        refused: Refused | None = None
        for index, demand in enumerate(demands):
            held, wait = self._room(demand, now)
            before.append(held)
            if wait is not None and (refused is None or wait > refused.retry_after):
                refused = Refused(index, wait)
        if refused is not None:
            return refused
        for demand in demands:
            self._enter(demand, now)
        self._holders.add(holder)
        self._sweep(now)
        return Taken(tuple(before))

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], *, holder: str) -> None:
        """Replace what was taken by what was used; a holder that is not known, or settled before, changes nothing."""
        if holder not in self._holders:
            return
        self._holders.discard(holder)
        now = int(self._clock() * 1000)
        for demand, used in zip(demands, actual, strict=True):
            self._leave(demand, used, now)

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return what is spent of purses."""
        accounts = self._state.accounts
        return {key: accounts[key].spent if key in accounts else 0 for key in keys}

    async def restore(self, purses: Sequence[Purse], spent: Sequence[int]) -> None:
        """Raise the counts of purses to at least these amounts."""
        for purse, least in zip(purses, spent, strict=True):
            account = self._state.accounts.setdefault(purse.key, _Account(purse.ends_at))
            account.spent = max(account.spent, least)

    def spent(self, key: str) -> int:
        """Return what is spent of one purse."""
        account = self._state.accounts.get(key)
        return 0 if account is None else account.spent

    def used(self, key: str) -> int:
        """Return what is spent of one purse and reserved in it."""
        account = self._state.accounts.get(key)
        return 0 if account is None else account.spent + account.reserved

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def _room(self, demand: Demand, now: int) -> tuple[int, float | None]:
        """Return the current count, and the seconds until there is room; None if there is room now."""
        state = self._state
        if isinstance(demand, Bucket):
            level = state.levels.get(demand.key)
            ticks = 0 if level is None else level.drain(now, demand.per_minute)
            over = ticks - demand.room
            return -(-ticks // TICKS), None if over <= 0 else -(-over // demand.per_minute) / 1000
        if isinstance(demand, Slots):
            running = state.slots.get(demand.key, 0)
            return running, None if running < demand.most else 0.0
        account = state.accounts.get(demand.key)
        spent, reserved = (0, 0) if account is None else (account.spent, account.reserved)
        if demand.amount is None or spent + reserved + demand.reserve <= demand.amount:
            return spent, None
        if not demand.whole and not reserved and spent < demand.amount:
            return spent, None
        return spent, max(0.0, demand.ends_at - self._unix())

    def _enter(self, demand: Demand, now: int) -> None:
        state = self._state
        if isinstance(demand, Bucket):
            level = state.levels.get(demand.key)
            if level is None:
                level = state.levels[demand.key] = _Level(at=now, per_minute=demand.per_minute)
            level.ticks += demand.units * TICKS
        elif isinstance(demand, Slots):
            state.slots[demand.key] = state.slots.get(demand.key, 0) + 1
        else:
            account = state.accounts.get(demand.key)
            if account is None:
                account = state.accounts[demand.key] = _Account(demand.ends_at)
            account.reserved += demand.reserve

    def _leave(self, demand: Demand, used: int, now: int) -> None:
        state = self._state
        if isinstance(demand, Bucket):
            level = state.levels.get(demand.key)
            if level is None:
                level = state.levels[demand.key] = _Level(at=now, per_minute=demand.per_minute)
            level.drain(now, demand.per_minute)
            level.ticks = max(0, level.ticks + (used - demand.units) * TICKS)
        elif isinstance(demand, Slots):
            left = state.slots[demand.key] - 1
            if left:
                state.slots[demand.key] = left
            else:
                del state.slots[demand.key]
        elif (account := state.accounts.get(demand.key)) is not None:
            account.reserved -= demand.reserve
            account.spent += used

    def _sweep(self, now: int) -> None:
        """Remove empty buckets and old purses, after the number of keys has about doubled."""
        state = self._state
        if len(state.levels) + len(state.accounts) <= self._sweep_above:
            return
        state.levels = {key: each for key, each in state.levels.items() if each.drain(now, each.per_minute)}
        oldest = self._unix() - KEPT_SECONDS
        state.accounts = {key: each for key, each in state.accounts.items() if each.reserved or each.ends_at > oldest}
        self._sweep_above = 2 * (len(state.levels) + len(state.accounts)) + _SWEPT
