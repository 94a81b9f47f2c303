"""What every way of counting has in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from claude_gateway_proxy.gateway.admission.demand import Demand, Purse


@dataclass(frozen=True, slots=True)
class Taken:
    """All demands were taken. ``before`` is, per demand, what counted before it: units in a bucket, slots in use, or
    what is spent of a purse, without reservations.
    """

    before: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was taken, because there is no room for the demand with this index.

    Of several it is the one for which the wait is longest. ``retry_after`` is in seconds: when there is room if nobody
    else takes it first; 0 where nobody knows, because a slot is awaited.
    """

    index: int
    retry_after: float


class UnavailableError(Exception):
    """The counters cannot be reached; nothing was taken. The message says why, without secrets."""


class Counters(Protocol):
    """Counts what is taken. A ``holder`` is the id of one request, unique among all processes that count together."""

    async def take(self, demands: Sequence[Demand], *, holder: str) -> Taken | Refused:
        """Take all demands or nothing, atomically; if it is cancelled, nothing. Raises UnavailableError."""

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], *, holder: str) -> None:
        """Replace what was taken by what was used, in the demands' own units; frees slots. Works once per holder."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return what is spent of purses, without reservations; 0 of unknown ones. Raises UnavailableError."""

    async def restore(self, purses: Sequence[Purse], spent: Sequence[int]) -> None:
        """Raise what purses count to at least what was spent, after it was lost. Raises UnavailableError."""

    async def close(self) -> None:
        """Finish what is under way, and close connections."""
