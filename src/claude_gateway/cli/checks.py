"""Checks: what was looked at, what was seen, and how to fix it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import click


class CheckStatus(StrEnum):
    """The result of a check; only FAIL causes exit code 1."""

    PASS = "PASS"  # noqa: S105 - a status, not a password
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its subject, what was observed, and how to fix it if it did not pass."""

    status: CheckStatus
    name: str
    seen: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{self.status}  {self.name}: {self.seen}"
        return f"{line}\n      {self.fix}" if self.fix else line


def reported(checks: Iterable[Check]) -> Iterator[Check]:
    """Print each check as soon as it is done."""
    for check in checks:
        click.echo(str(check))
        yield check
