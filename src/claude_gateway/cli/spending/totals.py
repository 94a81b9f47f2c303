"""Sums of requests by some of their properties, and the period that they are for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from claude_gateway.contract.spent import Sum

PROPERTIES: Final = (
    *("client", "user", "team", "route", "provider", "model", "session", "agent", "agent_type", "request_class"),
    *("target", "format", "day"),
)
"""What requests can be summed by."""

OTHER: Final = "(other)"
"""Stands for all values of groups beyond ``MOST``."""

MOST: Final = 200_000
"""Groups that are kept apart, so that a log of any length fits into memory."""

_AGO: Final = re.compile(r"([0-9]{1,4})([mhdw])", re.ASCII)
_UNITS: Final[Mapping[str, timedelta]] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` to before ``until``, both in UTC."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> int:
        """How long it is."""
        return int((self.until - self.since).total_seconds())


@dataclass(slots=True)
class Totals:
    """Sums by the values of the properties ``by``.

    Of the ``lines`` of a log, ``requests`` are requests, of any time, and ``unreadable`` could not be read.
    ``cost_only``: the source knows nothing but the cost.
    """

    by: tuple[str, ...]
    groups: dict[tuple[str, ...], Sum] = field(default_factory=dict)
    lines: int = 0
    requests: int = 0
    unreadable: int = 0
    cost_only: bool = False

    def add(self, values: tuple[str, ...], found: Sum) -> None:
        """Add a sum to the group with these values."""
        group = self.groups.get(values)
        if group is None:
            if len(self.groups) >= MOST:
                values = (OTHER,) * len(values)
            group = self.groups.setdefault(values, Sum())
        group.add(found)

    @property
    def total(self) -> Sum:
        """The sum of all groups."""
        found = Sum()
        for group in self.groups.values():
            found.add(group)
        return found

    def ordered(self) -> Sequence[tuple[tuple[str, ...], Sum]]:
        """Return the groups, the most expensive first."""
        return sorted(self.groups.items(), key=lambda item: (-item[1].cost, item[0]))


def properties(text: str) -> tuple[str, ...]:
    """Read a list of properties, such as ``client,model``. Raises ValueError with what is wrong and the fix."""
    found = tuple(dict.fromkeys(part.strip().replace("-", "_") for part in text.split(",")))
    unknown = next((name for name in found if name not in PROPERTIES), None)
    if unknown is not None:
        raise ValueError(f"`{unknown[:40]}` is unknown; choose from {', '.join(PROPERTIES)}")
    return found


def moment(text: str, *, now: datetime) -> datetime:
    """Read ``7d``, ``24h``, ``30m``, ``2w`` as so long ago, and a date or time as itself, in UTC where it has no zone.

    Raises ValueError with what is wrong and the fix.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text[:40]}` is not a time; write `7d`, `24h`, or a date such as `2026-10-01`") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
