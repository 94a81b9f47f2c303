"""The money of this process: what it spent of each budget, what it may spend, and what is known of all the others.

Where a store counts for all pods, its purses have the whole amounts. Where none does, or it is away, each pod spends
its leases of them. A process that is alone has it all.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from claude_gateway.contract.budget import Window
from claude_gateway.contract.report import BudgetUse
from claude_gateway_proxy.gateway.admission.counters.counters import Counters, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Purse
from claude_gateway_proxy.gateway.admission.ledger import Account, Ledger, part
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_runtime.logs import emit

TICK_SECONDS: Final = 0.25
"""How often the allotment is looked at."""
WRITE_SECONDS: Final = 1.0
"""How often the file of what was spent is written, and a store is asked for totals."""
_MEMBERS: Final = 2000
"""Members of budgets in a report: those that spent most."""

_log: Final = logging.getLogger(__name__)


class Till:
    """Holds the accounts; ``run`` keeps them up to date. Made once at start."""

    def __init__(
        self,
        *,
        alone: MemoryCounters,
        store: Counters | None = None,
        shares: Shares | None = None,
        path: Path | None = None,
        unix: Callable[[], float] = time.time,
    ) -> None:
        """``alone`` counts in this process, ``store`` for all of them; ``path`` is the file of what was spent."""
        self.store: Final = store
        self.unix: Final = unix
        self.ledger: Final = Ledger(path, now=unix())
        self._alone = alone
        self._shares = shares or Shares(None)

    def known(self, account: Account) -> int:
        """Return what was spent by all processes, as far as this one knows."""
        windows = self._shares.current().spent.get(part(account.budget, account.member), {})
        return max(account.spent, account.total, windows.get(account.window.key, 0))

    def own(self, account: Account, limit: int) -> int:
        """Return the most that this process's own counters may count of a purse."""
        if self._shares.leased:
            others = max(0, self.known(account) - account.spent)
            limit = limit - others if account.member else account.lease
        # What an earlier process spent, and what a store counted, is not in these counters.
        return limit - (account.spent - self._alone.spent(account.key))

    def report(self) -> tuple[BudgetUse, ...]:
        """Return what this process spent, for whoever divides the rest."""
        now = self.unix()
        accounts = [each for each in self.ledger.accounts.values() if each.window.ends_at > now]
        whole = [account for account in accounts if not account.member]
        people = [account for account in accounts if account.member] if self._shares.leased else []
        people.sort(key=lambda account: -account.spent)
        return tuple(self._use(account) for account in (*whole, *people[:_MEMBERS]))

    async def run(self) -> None:
        """Follow the allotment, ask the store for totals and keep the file current, until cancelled."""
        written = 0.0
        try:
            while True:
                self._follow()
                if time.monotonic() - written >= WRITE_SECONDS:
                    written = time.monotonic()
                    self.ledger.sweep(self.unix())
                    await self._ask_store()
                    document = self.ledger.document()
                    if document is not None:
                        await asyncio.to_thread(self._save, document)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            document = self.ledger.document()
            if document is not None:
                self._save(document)

    def _save(self, document: bytes) -> None:
        """Write what was spent to the file; trouble with it is reported, and does not stop the gateway."""
        try:
            self.ledger.write(document)
        except OSError as error:
            emit(_log, "spend_not_written", level=logging.ERROR, error=str(error))

    def _follow(self) -> None:
        """Take note of a new allotment: which leases are in force is part of what is reported."""
        self._shares.look()
        if not self._shares.leased:
            return
        allotment = self._shares.current()
        for name, windows in allotment.leases.items():
            for key, lease in windows.items():
                account = self.ledger.account(name, _window(key))
                if lease > account.lease:
                    account.short = 0
                account.lease = lease

    async def _ask_store(self) -> None:
        """Tell the store what it missed while it was away, and ask it what was spent in all."""
        accounts = self.ledger.accounts
        if self.store is None or not accounts:
            return
        try:
            for key, account in list(accounts.items()):
                owed = self._alone.spent(key) - account.repaid
                if owed > 0:
                    purse = Purse(key, None, 0, account.window.ends_at)
                    holder = f"repaid-{id(self)}-{key}-{account.repaid}"
                    await self.store.take([purse], holder=holder)
                    self.store.settle([purse], [owed], holder=holder)
                    account.repaid += owed
            for key, total in (await self.store.read(list(accounts))).items():
                accounts[key].total = total
        except UnavailableError:
            return

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
        )


def _window(key: str) -> Window:
    begins, _, ends = key.partition("-")
    return Window(int(begins), int(ends))
