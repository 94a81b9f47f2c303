"""How many further tries failed requests may have, so that an outage does not multiply the requests to what is left.

The budget is that of Finagle's and Envoy's retry budgets: a share of the requests and a constant, over a sliding time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SHARE: Final = 0.2
"""Further tries per request."""

PER_SECOND: Final = 10
"""Further tries per second besides, so that a route with few requests always fails over."""

WINDOW_SECONDS: Final = 10
"""Over how long requests and tries are counted; what was not used within this time is lost."""

_ROUTES: Final = 4096
"""Routes that are counted; the one that was used longest ago is forgotten first."""


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
    """The budgets of one process, one per route; ``clock`` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def requested(self, route: str) -> None:
        """Count a request that could be tried again."""
        self._of(route).at(int(self._clock())).requests += 1

    def take(self, route: str) -> bool:
        """Return whether one further try is within the budget, and count it if so."""
        window, second = self._of(route), int(self._clock())
        if window.left(second) < 1:
            return False
        window.at(second).extra += 1
        return True

    def _of(self, route: str) -> _Window:
        window = self._windows.get(route)
        if window is None:
            window = self._windows[route] = _Window()
            if len(self._windows) > _ROUTES:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(route)
        return window
