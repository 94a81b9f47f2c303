"""What this process remembers of targets that failed, so that not every request finds it out for itself.

A target that failed several times in a row, or that said when to come back, is put aside for a while: it is tried last.
Then one request tries it first again, and the others follow when that one was answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FAILURES: Final = 3
"""Failures in a row after which a target is put aside."""

ASIDE_SECONDS: Final = 10.0
"""How long at first; each further failure doubles it, up to ``MOST_SECONDS``."""

MOST_SECONDS: Final = 60.0
LATEST_SECONDS: Final = 600.0
"""The latest time to come back that an upstream is believed."""

TRIAL_SECONDS: Final = 15.0
"""How long the others wait for the one that tries: a connection takes no longer."""

_MEMORY: Final = 4096
"""Targets that are remembered; beyond, all is forgotten."""


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    until: float = 0.0


class Health:
    """The memory of one process; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def failed(self, target: str, *, retry_after: float | None) -> None:
        """Note a failure; ``retry_after`` are the seconds after which the upstream wants to be asked again."""
        if len(self._troubles) >= _MEMORY:
            self._troubles.clear()
        trouble = self._troubles.setdefault(target, _Trouble())
        trouble.failures += 1
        over = trouble.failures - FAILURES
        seconds = min(MOST_SECONDS, ASIDE_SECONDS * 2.0 ** min(over, 8)) if over >= 0 else 0.0
        if retry_after is not None:
            seconds = max(seconds, min(retry_after, LATEST_SECONDS))
        if seconds > 0:
            trouble.until = self._clock() + seconds

    def answered(self, target: str) -> None:
        """Note an answer: all is well again."""
        if self._troubles:
            self._troubles.pop(target, None)

    def aside(self) -> int:
        """Return how many targets are put aside now."""
        now = self._clock()
        return sum(now < trouble.until for trouble in self._troubles.values())

    def troubles(self) -> Sequence[tuple[str, int, float]]:
        """Return each target that failed lately, its failures in a row, and for how many seconds it is put aside."""
        now = self._clock()
        return [(target, trouble.failures, max(0.0, trouble.until - now)) for target, trouble in self._troubles.items()]

    def well(self, target: str) -> bool:
        """Whether a target may be tried in its turn; a True after a time aside is for this one request."""
        trouble = self._troubles.get(target)
        if trouble is None:
            return True
        now = self._clock()
        if now < trouble.until:
            return False
        if trouble.until:
            trouble.until = now + TRIAL_SECONDS
        return True


def retry_after(headers: Sequence[tuple[bytes, bytes]], *, now: datetime) -> float | None:
    """The seconds after which an upstream wants to be asked again, from any form in which it may say so."""
    found = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    milliseconds = _number(found.get(b"retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = found.get(b"retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def _number(text: str) -> float | None:
    whole = text.replace(".", "", 1)
    return float(text) if whole.isascii() and whole.isdigit() and len(text) < 16 else None
