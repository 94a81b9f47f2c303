"""The health of targets: what this process remembers of failures, so that not every request runs into them.

A target that failed several times in a row, or that sent a ``retry-after``, is ejected for a while: it is tried last.
Then one request tries it in its turn, and the others follow after that one was answered. If a target takes any model, a
failure about one model counts for this model alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from claude_gateway_runtime.bounded_dict import BoundedDict

FAILURES: Final = 3
"""Failures in a row after which a target is ejected."""

EJECTED_SECONDS: Final = 10.0
"""How long at first; each failure after that time doubles it, up to ``MOST_SECONDS``."""

MOST_SECONDS: Final = 60.0
LATEST_SECONDS: Final = 600.0
"""The longest ``retry-after`` of an upstream that is accepted."""

TRIAL_SECONDS: Final = 15.0
"""How long other requests wait for the result of the first retry: a connection takes no longer."""

EVERY_MODEL: Final = ""
"""The key for all models of a target, and for the only model of a target with one."""

_NEVER: Final = float("-inf")
_TARGETS: Final = 4096
_MODELS: Final = 64
"""The most targets, and models of one target, that are remembered; the oldest failure is evicted first."""


@dataclass(frozen=True, slots=True)
class Ejection:
    """A target that is ejected now; ``since`` and ``until`` are on the clock of ``Health``."""

    target: str
    model: str
    reason: str
    since: float
    until: float


@dataclass(slots=True)
class _Trouble:
    failures: int = 0
    since: float = 0.0
    until: float = _NEVER
    trying: bool = False
    reason: str = ""


class Health:
    """The memory of one process; ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._troubles: BoundedDict[str, BoundedDict[str, _Trouble]] = BoundedDict(_TARGETS)

    def failed(
        self, target: str, model: str = EVERY_MODEL, *, retry_after: float | None = None, reason: str = ""
    ) -> None:
        """Record a failure; ``retry_after`` is the upstream's ``retry-after`` in seconds."""
        trouble, now = self._trouble(target, model), self._clock()
        seconds = 0.0
        if trouble.trying or now >= trouble.until:
            # Otherwise it was tried as the last resort, or concurrently with the request that ejected it.
            trouble.failures = max(trouble.failures + 1, FAILURES if trouble.trying else 0)
            over = trouble.failures - FAILURES
            seconds = min(MOST_SECONDS, EJECTED_SECONDS * 2.0 ** min(over, 8)) if over >= 0 else 0.0
        if retry_after is not None:
            seconds = max(seconds, min(retry_after, LATEST_SECONDS))
        if seconds > 0 and (trouble.trying or now + seconds > trouble.until):
            if now - trouble.until > LATEST_SECONDS:
                trouble.since = now
            trouble.until, trouble.reason = now + seconds, reason
        trouble.trying = False

    def answered(self, target: str, model: str = EVERY_MODEL) -> None:
        """Record an answer: the target is healthy again."""
        troubles = self._troubles.get(target) if self._troubles else None
        if troubles is None:
            return
        troubles.pop(EVERY_MODEL, None)
        troubles.pop(model, None)
        if not troubles:
            del self._troubles[target]

    def well(self, target: str, model: str = EVERY_MODEL) -> bool:
        """Return whether a target may be tried in its turn."""
        if target not in self._troubles:
            return True
        now = self._clock()
        return all(now >= trouble.until for trouble in self._of(target, model))

    def tried(self, target: str, model: str = EVERY_MODEL) -> None:
        """Record that a request tries a target: after an ejection, other requests wait for its result."""
        if target not in self._troubles:
            return
        now = self._clock()
        for trouble in self._of(target, model):
            if _NEVER < trouble.until <= now:
                trouble.until, trouble.trying = now + TRIAL_SECONDS, True

    def ejections(self, grace: float = 0.0) -> Iterator[Ejection]:
        """Yield the targets that are ejected now, or were within this many seconds and have not answered since."""
        now = self._clock()
        # Copies: metrics are read in another thread.
        for target, troubles in list(self._troubles.items()):
            for model, trouble in list(troubles.items()):
                if now < trouble.until + grace:
                    yield Ejection(target, model, trouble.reason, since=trouble.since, until=trouble.until)

    def _of(self, target: str, model: str) -> Iterator[_Trouble]:
        troubles = self._troubles[target]
        for name in {EVERY_MODEL, model}:
            if name in troubles:
                yield troubles[name]

    def _trouble(self, target: str, model: str) -> _Trouble:
        troubles = self._troubles.setdefault(target, BoundedDict(_MODELS))
        trouble = troubles.setdefault(model, _Trouble())
        self._troubles.move_to_end(target)
        troubles.move_to_end(model)
        return trouble
