"""What this process spent of each budget and window: for its reports, and in a file that survives the process."""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claude_gateway.contract.budget import Window
from claude_gateway.contract.payers import PART

KEPT_SECONDS: Final = 3600
"""How long an account is kept once its window is over, for requests that end later, and for clocks that go back."""


@dataclass(slots=True)
class Account:
    """What was spent and is reserved of a budget in a window, or of a member's part of it, in nanodollars.

    ``lease`` is the lease that is in force, ``short`` what a request needed beyond it, and ``total`` what all processes
    spent, as far as this one knows. ``repaid`` is what was reported to a store of the spend that it missed. ``over_at``
    is when the window was first seen to be over, by the monotonic clock.
    """

    budget: str
    window: Window
    member: str = ""
    spent: int = 0
    reserved: int = 0
    lease: int = 0
    short: int = 0
    total: int = 0
    repaid: int = 0
    over_at: float | None = None

    @property
    def key(self) -> str:
        """The key of its purse."""
        return key(self.budget, self.window, self.member)


class Ledger:
    """The accounts of all budgets that were used. ``changed`` is set if the file is not up to date."""

    def __init__(self, path: Path | None, *, now: float) -> None:
        """Read the file of an earlier process: its reservations at its end count as spent."""
        self.accounts: dict[str, Account] = {}
        self.changed = asyncio.Event()
        self._path = path
        for account in _read(path):
            if account.window.ends_at + KEPT_SECONDS > now:
                self.accounts[account.key] = account

    def account(self, budget: str, window: Window, member: str = "") -> Account:
        """Return an account; a new one is empty."""
        name = key(budget, window, member)
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = Account(budget, window, member)
        return found

    def knows(self, budget: str, window: Window) -> bool:
        """Return whether there is an account of a budget in a window."""
        return key(budget, window) in self.accounts

    def sweep(self, *, unix: float, clock: float) -> None:
        """Remove the accounts of windows that have been over for long enough, even if the time of day jumped.

        ``clock`` is in monotonic seconds.
        """
        for name, account in list(self.accounts.items()):
            if account.window.ends_at > unix:
                account.over_at = None
            elif account.over_at is None:
                account.over_at = clock
            elif clock - account.over_at >= KEPT_SECONDS and not account.reserved:
                del self.accounts[name]

    def document(self) -> bytes | None:
        """Return the new content of the file; None without a file, or if it is up to date."""
        if not self.changed.is_set():
            return None
        self.changed.clear()
        if self._path is None:
            return None
        rows = [
            [each.budget, each.window.begins_at, each.window.ends_at, each.member, each.spent + each.reserved]
            for each in self.accounts.values()
        ]
        return json.dumps({"spent": rows}, separators=(",", ":")).encode()

    def write(self, document: bytes) -> None:
        """Replace the file. Raises OSError."""
        if self._path is not None:
            scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(document)
            scratch.rename(self._path)


def key(budget: str, window: Window, member: str = "") -> str:
    """Return the key of a purse: of a budget in a window, or of a member's part of it."""
    return f"budget:{part(budget, member)}:{window.key}"


def part(budget: str, member: str) -> str:
    """Return the name of a budget, or of a member's part of it, as allotments have it."""
    return f"{budget}{PART}{member}" if member else budget


def _read(path: Path | None) -> Iterator[Account]:
    try:
        found: Any = {} if path is None else json.loads(path.read_bytes())
        rows: Iterable[Any] = found.get("spent", ()) if isinstance(found, dict) else ()
    except (OSError, ValueError, RecursionError):
        return
    for row in rows:
        match row:
            case [str(budget), int(begins), int(ends), str(member), int(spent)]:
                yield Account(budget, Window(begins, ends), member, spent=max(0, spent))
