"""The money of this process: what it spent of each budget, what it may spend, and what is known about the others.

If a store counts for all pods, its purses have the whole amounts. Without a store, or while it cannot be reached, each
pod spends its leases. A single process has the whole amounts.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from claude_gateway.contract.budget import read_window
from claude_gateway.contract.report import BudgetUse
from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Purse
from claude_gateway_proxy.gateway.admission.ledger import Account, Ledger, part
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_runtime.logs import emit

TICK_SECONDS: Final = 0.25
"""How often the allotment is checked."""
ASK_SECONDS: Final = 1.0
"""How often totals are read from a store, and old accounts are removed."""
PAUSE_SECONDS: Final = 0.05
"""The shortest time between two writes of the file: a process that is killed loses what it has not written yet."""
_WRITES: Final = 20
"""How many times longer than a write the pause after it is, if there are many accounts."""
_MEMBERS: Final = 2000
"""The most members of budgets in a report: those that spent most."""

_log: Final = logging.getLogger(__name__)


class SpendTracker:
    """Has the accounts; ``run`` keeps them up to date. Created once at start."""

    def __init__(
        self,
        *,
        alone: MemoryCounters,
        store: Counters | None = None,
        shares: Shares | None = None,
        path: Path | None = None,
        unix: Callable[[], float] = time.time,
    ) -> None:
        """``alone`` counts in this process, ``store`` for all processes; ``path`` is the file of what was spent."""
        self.store: Final = store
        self.unix: Final = unix
        self.ledger: Final = Ledger(path, now=unix())
        self._alone = alone
        self._shares = shares or Shares(None)
        self._name = secrets.token_hex(8)
        self._numbers = itertools.count()

    def known(self, account: Account) -> int:
        """Return what was spent by all processes, as far as this one knows."""
        windows = self._shares.current().spent.get(part(account.budget, account.member), {})
        return max(account.spent, account.total, windows.get(account.window.key, 0)) + self.unstored(account)

    def stored(self, account: Account) -> int:
        """Return what the store counted for all processes, as far as this one knows, whether or not it still does."""
        shared = self._shares.current()
        windows = shared.spent.get(part(account.budget, account.member), {}) if shared.counted else {}
        return max(account.total, windows.get(account.window.key, 0))

    def unstored(self, account: Account) -> int:
        """Return what the store never counted, because pods that spent it while the store was away are gone."""
        windows = self._shares.current().unstored.get(part(account.budget, account.member), {})
        return windows.get(account.window.key, 0)

    def own(self, account: Account, limit: int) -> int:
        """Return the most that this process's own counters may count for a purse."""
        if self._shares.leased:
            others = max(0, self.known(account) - account.spent)
            limit = limit - others if account.member else account.lease
        # What an earlier process spent, and what a store counted, is not in these counters.
        return limit - (account.spent - self._alone.spent(account.key))

    def report(self) -> tuple[BudgetUse, ...]:
        """Return what this process spent, for the operator, which divides the rest."""
        now = self.unix()
        accounts = [each for each in self.ledger.accounts.values() if each.window.ends_at > now]
        whole = [account for account in accounts if not account.member]
        people = [account for account in accounts if account.member] if self._shares.leased else []
        people.sort(key=lambda account: -account.spent)
        return tuple(self._use(account) for account in (*whole, *people[:_MEMBERS]))

    async def run(self) -> None:
        """Follow the allotment, read totals from the store and keep the file up to date, until cancelled."""
        asked = 0.0
        try:
            while True:
                self._follow()
                if time.monotonic() - asked >= ASK_SECONDS:
                    asked = time.monotonic()
                    self.ledger.sweep(unix=self.unix(), clock=asked)
                    await self._ask_store()
                began = time.monotonic()
                document = self.ledger.document()
                if document is not None:
                    await asyncio.to_thread(self._save, document)
                await asyncio.sleep(max(PAUSE_SECONDS, _WRITES * (time.monotonic() - began)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS):
                        await self.ledger.changed.wait()
        finally:
            document = self.ledger.document()
            if document is not None:
                self._save(document)

    def _save(self, document: bytes) -> None:
        """Write what was spent to the file; a failure is logged, and does not stop the gateway."""
        try:
            self.ledger.write(document)
        except OSError as error:
            emit(_log, "spend_not_written", level=logging.ERROR, error=str(error))

    def _follow(self) -> None:
        """Apply a new allotment; the leases in force are part of the report."""
        self._shares.look()
        if not self._shares.leased:
            return
        allotment, now = self._shares.current(), self.unix()
        for name, windows in allotment.leases.items():
            for key, lease in windows.items():
                each = read_window(key)
                # What this process forgot about a window that is over must not be spent again.
                if each is None or (each.ends_at <= now and not self.ledger.knows(name, each)):
                    continue
                account = self.ledger.account(name, each)
                if lease > account.lease:
                    account.short = 0
                account.lease = lease

    async def _ask_store(self) -> None:
        """Send the store what it missed while it was away, and read the totals from it."""
        accounts = self.ledger.accounts
        if self.store is None or not accounts:
            return
        try:
            for key, account in list(accounts.items()):
                owed = self._alone.spent(key) - account.repaid
                if owed > 0:
                    purse = Purse(key, None, 0, account.window.ends_at, known=self.stored(account))
                    holder = f"repaid-{self._name}-{next(self._numbers)}"
                    if isinstance(await self.store.take([purse], holder=holder), Taken):
                        self.store.settle([purse], [owed], holder=holder)
                        account.repaid += owed
            await self._restore(await self.store.read(list(accounts)))
        except UnavailableError:
            return

    async def _restore(self, found: Mapping[str, int]) -> None:
        """Apply the totals of the store, and raise those that it lost, for example in a restart."""
        lost: dict[Purse, int] = {}
        now = self.unix()
        for key, total in found.items():
            account = self.ledger.accounts[key]
            least = self.stored(account)
            account.total = max(total, least)
            if total < least and account.window.ends_at > now:
                lost[Purse(key, None, 0, account.window.ends_at)] = least
        if lost and self.store is not None:
            await self.store.restore(list(lost), list(lost.values()))

    def _use(self, account: Account) -> BudgetUse:
        return BudgetUse(
            budget=account.budget,
            window=account.window.key,
            member=account.member,
            spent=account.spent,
            used=account.spent + account.reserved,
            lease=account.lease,
            short=account.short,
            total=None if self.store is None else account.total,
            owed=0 if self.store is None else max(0, self._alone.used(account.key) - account.repaid),
        )
