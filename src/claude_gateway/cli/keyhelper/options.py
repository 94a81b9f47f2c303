"""Options that the key helpers share: how long a key is kept, shared and waited for."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from claude_gateway.api.base import DURATION, LONGEST_DURATION, seconds
from claude_gateway.cli.keyhelper.cache import Rules

F = TypeVar("F", bound=Callable[..., Any])

TTL_VARIABLE: Final = "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"
DEFAULT_TTL: Final = 300.0
"""Seconds that Claude Code keeps a key by default."""


class DurationType(click.ParamType[float]):
    """A duration such as ``90s`` or ``1h30m``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        if not re.fullmatch(DURATION, value) or not 0 <= seconds(value) <= seconds(LONGEST_DURATION):
            self.fail(f"{value!r} is not a duration such as 90s or 1h30m, at most {LONGEST_DURATION}", param, ctx)
        return seconds(value)


DURATIONS: Final = DurationType()


def rules(command: F) -> F:
    """``--ttl``, ``--share``, ``--grace``, ``--timeout``."""
    for option in (
        click.option(
            "--timeout", metavar="DURATION", type=DURATIONS, default="20s", help="Longest fetch. Default: 20s."
        ),
        click.option(
            "--grace",
            metavar="DURATION",
            type=DURATIONS,
            default="10m",
            help="If no fresh key can be had, print the last one up to this age, unless it has ended. Default: 10m.",
        ),
        click.option(
            "--share",
            metavar="DURATION",
            type=DURATIONS,
            default="30s",
            help="Answer calls within this time with the same key, so that parallel sessions fetch it once. After a "
            "rejected key, Claude Code gets a new one after this time at the latest. Default: 30s.",
        ),
        click.option(
            "--ttl",
            metavar="DURATION",
            type=DURATIONS,
            help=f"How long Claude Code keeps a key; shared ones live longer. Default: ${TTL_VARIABLE}, else 5m.",
        ),
    ):
        command = option(command)
    return command


def chosen(
    *, ttl: float | None, share: float, grace: float, timeout: float, ambient: Mapping[str, str] | None = None
) -> Rules:
    """Return the rules that these options make."""
    kept = ttl_of((ambient or os.environ).get(TTL_VARIABLE, "")) if ttl is None else ttl
    return Rules(ttl=DEFAULT_TTL if kept is None else kept, share=share, grace=grace, timeout=timeout)


def ttl_of(milliseconds: str) -> float | None:
    """Return the seconds that the variable of Claude Code stands for; None if it is not a number that it accepts."""
    text = milliseconds.strip()
    return int(text) / 1000 if re.fullmatch(r"[0-9]{1,12}", text) else None
