"""How often something may be done: a sliding window for each key, of a bounded number of keys."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from claude_gateway_runtime.bounded_dict import BoundedDict

_KEYS: Final = 4096


class Rate:
    """At most ``times`` in ``seconds`` for each key."""

    def __init__(self, times: int, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._times = times
        self._seconds = seconds
        self._clock = clock
        self._seen: BoundedDict[str, deque[float]] = BoundedDict(_KEYS)

    def wait(self, key: str) -> float:
        """Return the seconds until the key may do it again; 0 if it may now."""
        seen = self._recent(key)
        return max(0.0, seen[0] + self._seconds - self._clock()) if len(seen) >= self._times else 0.0

    def count(self, key: str) -> None:
        """Count one time."""
        self._recent(key).append(self._clock())

    def take(self, key: str) -> float:
        """Count one time if it is allowed and return 0; else return the seconds to wait."""
        wait = self.wait(key)
        if not wait:
            self.count(key)
        return wait

    def _recent(self, key: str) -> deque[float]:
        seen = self._seen.setdefault(key, deque(maxlen=self._times))
        self._seen.move_to_end(key)
        while seen and seen[0] + self._seconds <= self._clock():
            seen.popleft()
        return seen
