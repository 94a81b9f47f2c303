"""The last failure of each target, for troubleshooting: ``claude-gateway doctor`` reads it."""

from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import TargetFailure, TargetFailures
from claude_gateway_runtime.bounded_dict import BoundedDict

_MOST: Final = 256
"""The most targets that are remembered; the oldest failure is evicted first."""


class Failures:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: BoundedDict[str, TargetFailure] = BoundedDict(_MOST)

    def note(self, target: str, *, kind: str, reason: str, said: str) -> None:
        """Remember a failed attempt. ``said`` is the message of the upstream or the system, without any secret."""
        self._last[target] = TargetFailure(target=target, kind=kind, reason=reason, said=said, at=self._clock())

    def report(self) -> TargetFailures:
        """Return the remembered failures, the latest one last."""
        return TargetFailures(failures=tuple(self._last.values()))
