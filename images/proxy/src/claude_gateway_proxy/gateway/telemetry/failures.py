"""The last failure of each target, for troubleshooting: ``claude-gateway doctor`` reads it."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import TargetFailure, TargetFailures

_MOST: Final = 256
"""The most targets that are remembered; the oldest failure is evicted first."""


class Failures:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: OrderedDict[str, TargetFailure] = OrderedDict()

    def note(self, target: str, *, kind: str, reason: str, said: str) -> None:
        """Remember a failed attempt. ``said`` is the message of the upstream or the system, without any secret."""
        self._last[target] = TargetFailure(target=target, kind=kind, reason=reason, said=said, at=self._clock())
        self._last.move_to_end(target)
        if len(self._last) > _MOST:
            self._last.popitem(last=False)

    def report(self) -> TargetFailures:
        """Return the remembered failures, the latest one last."""
        return TargetFailures(failures=tuple(self._last.values()))
