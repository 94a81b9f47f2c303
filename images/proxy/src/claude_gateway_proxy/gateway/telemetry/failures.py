"""The last failure of each target, for people who look for what is wrong: ``claude-gateway doctor`` reads it."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import TargetFailure, TargetFailures

_MOST: Final = 256
"""Targets that are remembered; the one that failed longest ago is forgotten first."""


class Failures:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: OrderedDict[str, TargetFailure] = OrderedDict()

    def note(self, target: str, *, kind: str, reason: str, said: str) -> None:
        """Remember a failed try. ``said`` are the upstream's words or the system's, without any secret."""
        self._last[target] = TargetFailure(target=target, kind=kind, reason=reason, said=said, at=self._clock())
        self._last.move_to_end(target)
        if len(self._last) > _MOST:
            self._last.popitem(last=False)

    def report(self) -> TargetFailures:
        """Return what is remembered, the latest failure last."""
        return TargetFailures(failures=tuple(self._last.values()))
