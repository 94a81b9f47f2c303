"""The candidates of one request in order, and the failure that its client gets if none answers."""

from collections.abc import Sequence

from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.attempts.failed import AttemptFailed
from claude_gateway_proxy.gateway.routing.choice import Candidate
from claude_gateway_proxy.gateway.routing.fit import Asked, roomier


class Turns:
    """The order of attempts. ``failed`` is the failure for the client; ``tries`` counts the candidates that were tried.

    The client gets the last failure, with two exceptions. If a target was busy and a later one is broken, it gets the
    busy one's, because then a retry is worthwhile. If the request was too long for a target, it gets that answer,
    because clients then shorten their conversation, unless a target that may take the request is busy.
    """

    __slots__ = ("_at", "_busy", "_candidates", "_request", "_round", "_tried", "_waited", "failed")

    def __init__(self, request: Asked, candidates: Sequence[Candidate]) -> None:
        """Start with the first candidate; there must be at least one."""
        self._request = request
        self._candidates = self._round = candidates
        self._at = 0
        self._tried: list[Candidate] = []
        self._waited = False
        self._busy: list[Target] = []
        self.failed: AttemptFailed | None = None

    @property
    def tries(self) -> int:
        """How many candidates were tried."""
        return len(self._tried)

    @property
    def last(self) -> bool:
        """Whether this is the last candidate."""
        return self._at >= len(self._round)

    def next(self) -> tuple[Candidate, bool] | None:
        """Return the next candidate, and whether the request may wait for room there; None after the last.

        It may wait at the first one if no other has any room.
        """
        if not self.last:
            found = self._round[self._at]
            self._at += 1
            self._waited = len(self._round) == 1
            return found, self._waited
        if self._waited or not self._round or any(each in self._round for each in self._tried):
            return None
        self._waited = True
        return self._round[0], True

    def try_(self, candidate: Candidate) -> None:
        """Record that the request is sent to a candidate."""
        self._tried.append(candidate)

    def fail(self, target: Target, failed: AttemptFailed) -> None:
        """Record a failure. If the request was too long, only targets with larger windows remain."""
        if failed.too_long is None:
            if self.failed is None or self._replaces(failed, self.failed):
                self.failed = failed
            if failed.busy:
                self._busy.append(target)
            return
        if not roomier(self._request, self._busy, than=target, said=failed.too_long):
            self.failed = _larger(failed, self.failed)
        left = [each for each in self._candidates if each not in self._tried]
        kept = roomier(self._request, [each.target for each in left], than=target, said=failed.too_long)
        self._round, self._at, self._waited = [each for each in left if each.target in kept], 0, False
        self._candidates = self._round

    @staticmethod
    def _replaces(failed: AttemptFailed, earlier: AttemptFailed) -> bool:
        if earlier.too_long is not None:
            return failed.busy
        return failed.busy or failed.kind is None or not earlier.busy


def _larger(failed: AttemptFailed, earlier: AttemptFailed | None) -> AttemptFailed:
    """Return the failure of the target with the larger window: less must be shortened for it."""
    if earlier is None or earlier.too_long is None or failed.too_long is None:
        return failed
    return earlier if (earlier.too_long.most or 0) > (failed.too_long.most or 0) else failed
