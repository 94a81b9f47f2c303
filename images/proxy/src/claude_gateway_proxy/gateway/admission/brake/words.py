"""Why a session was stopped, in one sentence that its owner can act on."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from claude_gateway.contract.money import dollars

_ODD: Final = re.compile(r"[^-A-Za-z0-9._:@]")
_SHOWN: Final = 256


class Unit(StrEnum):
    """What a limit counts; the values are the names of the object's fields, and those of a metric's label."""

    DOLLARS = "dollars"
    REQUESTS = "requests"
    MINUTES = "minutes"
    REPEATED = "repeated_tool_calls"
    GROWING = "growing_turns"

    @property
    def pattern(self) -> bool:
        """Whether it is about a line of conversation rather than about usage."""
        return self in (Unit.REPEATED, Unit.GROWING)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A stop: ``used`` of a ``unit`` reached the ``limit`` of a ``scope`` (``session`` or ``agent``).

    ``hard`` is the limit of the hard stop, 0 if this is one. ``tool`` is the client's name of the last tool called,
    ``session`` the client's own id.
    """

    scope: str
    unit: Unit
    used: int
    limit: int
    hard: int = 0
    tool: str = ""
    session: str = ""

    def of(self, session: str) -> "Stopped":
        """Return the stop of a session."""
        return replace(self, session=session)

    @property
    def limit_name(self) -> str:
        """The limit as logs and metrics name it, such as ``session_dollars``."""
        return f"{self.scope}_{self.unit.value}"

    @property
    def soft(self) -> bool:
        """Whether the session may continue."""
        return self.hard > 0

    @property
    def message(self) -> str:
        """The sentence that the client shows."""
        who = f"this {self.scope}"
        if self.soft:
            return (
                f"the gateway stopped {who} because it {self._what()}: say what to do next and it goes on, up to "
                f"{_amount(self.unit, self.hard)}"
            )
        return (
            f"the gateway stopped {who} because it {self._what()}, and takes no more of its requests until it is "
            f"released: claude-gateway release {plain(self.session)}"
        )

    def _what(self) -> str:
        used, limit = _amount(self.unit, self.used), _amount(self.unit, self.limit)
        match self.unit:
            case Unit.DOLLARS:
                return f"cost {used} (limit {limit})"
            case Unit.REQUESTS:
                return f"made {used} (limit {self.limit})"
            case Unit.MINUTES:
                return f"worked for {used} (limit {self.limit})"
            case Unit.REPEATED:
                tool = f", the last one of {plain(self.tool)}" if self.tool else ""
                return f"repeats itself: {used} in a row with the same input{tool} (limit {self.limit})"
            case Unit.GROWING:
                return f"made its context longer for {used} in a row (limit {self.limit})"


def plain(text: str) -> str:
    """Return a client's text reduced to the characters of ids and names, truncated to a maximum length."""
    return _ODD.sub("_", text[:_SHOWN])


_NOUNS: Final = {
    Unit.REQUESTS: "requests",
    Unit.MINUTES: "minutes",
    Unit.REPEATED: "tool calls",
    Unit.GROWING: "turns",
}


def _amount(unit: Unit, number: int) -> str:
    if unit is Unit.DOLLARS:
        return dollars(number)
    return f"{number} {_NOUNS[unit].removesuffix('s') if number == 1 else _NOUNS[unit]}"
