"""A budget: how much money may be spent in a window, by whom, and what happens then."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from claude_gateway.contract.base import Contract

ANY: Final = "*"
LONGEST_CHAIN: Final = 8
"""Budgets that pay for one request, one the parent of the other."""
MOST_OF_ONE: Final = 16
"""Budgets of one namespace that name the same client, team or group: each request asks all of them for money."""
MOST_OF_CALLER: Final = 256
"""Budgets that pay for one caller, parents included: a token may have hundreds of groups, each with its own."""


class Period(StrEnum):
    """How long a window is."""

    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


class Action(StrEnum):
    """What happens to a request when a budget is spent."""

    BLOCK = "Block"
    WARN = "Warn"
    ROUTE = "Route"


class Budget(Contract):
    """One budget; ``name`` is its full name. Money is in billionths of a dollar.

    ``clients`` are full names of clients, ``<namespace>/*`` or ``*``. ``teams`` and ``groups`` count among the clients
    of the budget's own namespace, and of every namespace if ``everywhere``. ``parent`` is the full name of a budget
    that pays, too. ``per_member`` bounds one person's part, ``route_to`` is the model name of ``Action.ROUTE``.
    """

    name: str
    amount: int
    period: Period = Period.MONTH
    parent: str | None = None
    clients: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    everywhere: bool = False
    per_member: int | None = None
    action: Action = Action.BLOCK
    route_to: str | None = None
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of time in which a budget's amount may be spent once; both ends are Unix time in whole seconds."""

    begins_at: int
    ends_at: int

    @property
    def key(self) -> str:
        """Its name in keys and reports. Windows of different lengths never have the same."""
        return f"{self.begins_at}-{self.ends_at}"


def window(period: Period, now: float) -> Window:
    """Return the window of a period that a time (Unix time) is in, by the calendar of UTC; weeks begin on Monday."""
    hour = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    if period is Period.HOUR:
        begin, end = hour, hour + timedelta(hours=1)
    elif period is Period.DAY:
        begin, end = day, day + timedelta(days=1)
    elif period is Period.WEEK:
        begin = day - timedelta(days=day.weekday())
        end = begin + timedelta(days=7)
    else:
        begin = day.replace(day=1)
        end = (begin + timedelta(days=32)).replace(day=1)
    return Window(int(begin.timestamp()), int(end.timestamp()))


def read_window(key: str) -> Window | None:
    """Return the window of a ``Window.key``; None if it is not one."""
    begins, _, ends = key.partition("-")
    return Window(int(begins), int(ends)) if begins.isdecimal() and ends.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent of a budget in one window, in billionths of a dollar."""

    window: Window
    spent: int
