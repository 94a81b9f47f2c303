"""The retry budget: limits the retries of failed requests, so that an outage does not overload the other targets.

It works like Finagle's and Envoy's: a share of the requests plus a constant, over a sliding window.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from claude_gateway_runtime.bounded_dict import BoundedDict

SHARE: Final = 0.2
"""Retries per request."""

PER_SECOND: Final = 10
"""Additional retries per second, so that a route with few requests always fails over."""

WINDOW_SECONDS: Final = 10
"""The window in which requests and retries are counted; unused retries expire with it."""

_ROUTES: Final = 4096
"""The most routes that are counted; the least recently used one is evicted first."""


@dataclass(slots=True)
class _Slot:
    """What happened in one second."""

    second: int = -1
    requests: int = 0
    extra: int = 0


@dataclass(slots=True)
class _Window:
    slots: list[_Slot] = field(default_factory=lambda: [_Slot() for _ in range(WINDOW_SECONDS)])

    def at(self, second: int) -> _Slot:
        slot = self.slots[second % WINDOW_SECONDS]
        if slot.second != second:
            slot.second, slot.requests, slot.extra = second, 0, 0
        return slot

    def left(self, second: int) -> float:
        recent = [slot for slot in self.slots if second - slot.second < WINDOW_SECONDS and slot.second >= 0]
        earned = SHARE * sum(slot.requests for slot in recent) + PER_SECOND * WINDOW_SECONDS
        return earned - sum(slot.extra for slot in recent)


class RetryBudget:
    """The budgets of one process, one per route; ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: BoundedDict[str, _Window] = BoundedDict(_ROUTES)

    def requested(self, route: str) -> None:
        """Count a request that could be retried."""
        self._of(route).at(int(self._clock())).requests += 1

    def take(self, route: str) -> bool:
        """Return whether one more retry is within the budget, and count it if so."""
        window, second = self._of(route), int(self._clock())
        if window.left(second) < 1:
            return False
        window.at(second).extra += 1
        return True

    def _of(self, route: str) -> _Window:
        window = self._windows.used(route)
        if window is None:
            window = self._windows[route] = _Window()
        return window
