"""What all kinds of counters have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from claude_gateway_proxy.gateway.admission.demand import Demand, Purse


@dataclass(frozen=True, slots=True)
class Taken:
    """All demands were taken. ``before`` is, for each demand, the count before it: units in a bucket, slots in use, or
    the spend of a purse without reservations.
    """

    before: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was taken, because there is no room for the demand with this index.

    If several have no room, it is the one with the longest wait. ``retry_after`` is in seconds: when there is room if
    no other request takes it first; 0 if that is unknown, because a slot is awaited.
    """

    index: int
    retry_after: float


class UnavailableError(Exception):
    """The counters cannot be reached; nothing was taken. The message says why, without secrets."""


class Counters(Protocol):
    """Counts what requests take. A ``holder`` is the id of a request, unique among processes that count together."""

    async def take(self, demands: Sequence[Demand], *, holder: str) -> Taken | Refused:
        """Take all demands or none, atomically; none if it is cancelled. Raises UnavailableError."""

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], *, holder: str) -> None:
        """Replace what was taken by what was used, in the demands' own units; frees slots. Works once per holder."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return the spend of purses, without reservations; 0 for unknown ones. Raises UnavailableError."""

    async def restore(self, purses: Sequence[Purse], spent: Sequence[int]) -> None:
        """Raise the counts of purses to at least these amounts, after counts were lost. Raises UnavailableError."""

    async def close(self) -> None:
        """Finish pending work, and close connections."""
