"""What a request demands of the counters before it is sent: pure values, all integers.

Each limit makes a demand; all demands of a request are taken together or not at all.
"""

from dataclasses import dataclass
from typing import Final

TICKS: Final = 60_000
"""Ticks of one unit in a bucket, which drains ``per_minute`` ticks each millisecond: all values are integers."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate: a bucket that holds ``burst`` units and drains ``per_minute``; the request pours in ``units``.

    It is taken while the bucket has room for it. A request of more units than the bucket holds is taken by an empty
    one, and those after it wait longer. What a request really used is corrected when it ends, and may overfill the
    bucket: the debt is worked off first. ``waits``: a request may queue for it.
    """

    key: str
    per_minute: int
    burst: int
    units: int = 1
    waits: bool = True

    @property
    def room(self) -> int:
        """The ticks that may be in the bucket before the request is taken."""
        return (self.burst - min(self.units, self.burst)) * TICKS


@dataclass(frozen=True, slots=True)
class Slots:
    """How many requests may be in flight at one time; the request takes one of them until it ends."""

    key: str
    most: int
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Purse:
    """An amount, such as nanodollars, that may be spent until ``ends_at`` (Unix seconds).

    The request reserves ``reserve``, which is taken while what is spent and reserved already leaves room for it. Where
    it does not fit, but something is left and nothing is reserved, the request gets through alone, so that an amount
    can be spent to its end; it overdraws the purse by less than one reservation. When it ends, what it really cost
    replaces the reservation. ``key`` names the window as well, so that the next one begins empty. ``amount`` None: what
    is spent is only counted. A reservation that is never settled, because its pod died, counts as spent. ``known`` is
    what was spent as far as the pod knows: shared counters that have no such purse, or lost it, begin with that.

    ``whole``: a request that does not fit is not let through alone either, because nobody can stop it at the amount.
    """

    key: str
    amount: int | None
    reserve: int
    ends_at: int
    known: int = 0
    whole: bool = False

    @property
    def waits(self) -> bool:
        """Return False: requests do not queue for money."""
        return False


@dataclass(frozen=True, slots=True)
class Substitute:
    """A model that serves instead of the requested one, by the name that a namespace has for it."""

    model: str
    namespace: str


Demand = Bucket | Slots | Purse
