"""Budgets: each request takes money of every budget that pays for it, and settles it with what it cost.

Where a store counts for all pods, its purses have the whole amounts. Where none does, or it is away, each pod spends
its leases of them. A process that is alone has it all.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from claude_gateway.contract.budget import Action, Budget, Window, window
from claude_gateway.contract.payers import Payers, member
from claude_gateway.contract.report import BudgetUse
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.admission import standing
from claude_gateway_proxy.gateway.admission.admission import Charge, Usage
from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Refused, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Instead, Purse
from claude_gateway_proxy.gateway.admission.ledger import Account, Ledger, part
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_proxy.gateway.admission.standing import Standing
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs.reservation import reservation
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.logs import emit

TICK_SECONDS: Final = 0.25
"""How often the allotment is looked at."""
WRITE_SECONDS: Final = 1.0
"""How often the file of what was spent is written, and a store is asked for totals."""
_BUSY_SECONDS: Final = 2
"""When a request that found everything reserved should come again: a new lease takes about as long."""
_MEMBERS: Final = 2000
"""Members of budgets in a report: those that spent most."""

_log: Final = logging.getLogger(__name__)


class Budgets:
    """Asks for the money of each request; made once at start."""

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
        self._alone, self._store = alone, store
        self._shares = shares or Shares(None)
        self._unix = unix
        self._ledger = Ledger(path, now=unix())

    def charges(self, call: Call) -> Sequence[Charge]:
        """Return the purses of a request, children before their parents; none where nobody's money is spent."""
        payers = call.snapshot.payers
        if not payers or call.format is Format.COUNT_TOKENS:
            return ()
        principal = call.principal
        found = payers.of(principal.client.name, team=principal.team, groups=principal.groups)
        if not found:
            return ()
        order = _Order(self, call, reservation(call))
        return [charge for budget in found for charge in order.of(budget)]

    def standings(self, payers: Payers, principal: Principal) -> tuple[Standing, ...]:
        """Return how a caller stands with each budget that pays for it, and with its part of each."""
        found = payers.of(principal.client.name, team=principal.team, groups=principal.groups)
        now, name = self._unix(), member(principal.client.name, principal.user)
        return tuple(
            self._standing(budget, window(budget.period, now), who)
            for budget in found
            for who in ("", *([name] if budget.per_member is not None else []))
        )

    def spent(self, budgets: Mapping[str, Budget]) -> Iterator[tuple[str, int, int]]:
        """Yield each budget with what was spent in its window, as far as this process knows, and its amount."""
        now = self._unix()
        for name, budget in budgets.items():
            yield name, self._standing(budget, window(budget.period, now), "").spent, budget.amount

    def report(self) -> tuple[BudgetUse, ...]:
        """Return what this process spent, for whoever divides the rest."""
        now = self._unix()
        accounts = [each for each in self._ledger.accounts.values() if each.window.ends_at > now]
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
                    self._ledger.sweep(self._unix())
                    await self._ask_store()
                    await asyncio.to_thread(self.save)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            self.save()

    def save(self) -> None:
        """Write what was spent to the file; trouble with it is reported, and does not stop the gateway."""
        try:
            self._ledger.write()
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
                account = self._ledger.account(name, _window(key))
                if lease > account.lease:
                    account.short = 0
                account.lease = lease

    async def _ask_store(self) -> None:
        """Tell the store what it missed while it was away, and ask it what was spent in all."""
        accounts = self._ledger.accounts
        if self._store is None or not accounts:
            return
        try:
            for key, account in list(accounts.items()):
                owed = self._alone.spent(key) - account.repaid
                if owed > 0:
                    purse = Purse(key, None, 0, account.window.ends_at)
                    holder = f"repaid-{id(self)}-{key}-{account.repaid}"
                    await self._store.take([purse], holder=holder)
                    self._store.settle([purse], [owed], holder=holder)
                    account.repaid += owed
            for key, total in (await self._store.read(list(accounts))).items():
                accounts[key].total = total
        except UnavailableError:
            return

    def _standing(self, budget: Budget, within: Window, who: str) -> Standing:
        limit = budget.amount if not who or budget.per_member is None else budget.per_member
        known = self._known(self._ledger.account(budget.name, within, who))
        return Standing(budget, within, known, limit, personal=bool(who))

    def _known(self, account: Account) -> int:
        """Return what was spent by all processes, as far as this one knows."""
        windows = self._shares.current().spent.get(part(account.budget, account.member), {})
        return max(account.spent, account.total, windows.get(account.window.key, 0))

    def _own(self, account: Account, limit: int) -> int:
        """Return the most that this process's own counters may count of a purse."""
        if self._shares.leased:
            others = max(0, self._known(account) - account.spent)
            limit = limit - others if account.member else account.lease
        # What an earlier process spent, and what a store counted, is not in these counters.
        return limit - (account.spent - self._alone.spent(account.key))

    def _use(self, account: Account) -> BudgetUse:
        return BudgetUse(
            budget=account.budget,
            window=account.window.key,
            member=account.member,
            spent=account.spent,
            used=account.spent + account.reserved,
            lease=account.lease,
            short=account.short,
            total=None if self._store is None else account.total,
        )


class _Order:
    """The money that one request asks for."""

    def __init__(self, budgets: Budgets, call: Call, reserve: int) -> None:
        self.budgets = budgets
        self.reserve = reserve
        self.now = budgets._unix()
        self.unified = call.wire in (Wire.ANTHROPIC, Wire.VERTEX)
        self.standings: list[Standing] = []
        self.claims = 0
        # What the gateway asks to complete an answer is paid for, but it cannot be refused any more.
        self._counted = call.origin is not None and call.record.mirrors is None
        self._member = member(call.client.name, call.principal.user)

    def of(self, budget: Budget) -> Iterator[Charge]:
        """Yield what is asked of a budget: of the caller's part first."""
        within = window(budget.period, self.now)
        if budget.per_member is not None:
            yield self._charge(budget, within, self._member, budget.per_member)
        yield self._charge(budget, within, "", budget.amount)

    def _charge(self, budget: Budget, within: Window, who: str, limit: int) -> Charge:
        budgets = self.budgets
        account = budgets._ledger.account(budget.name, within, who)
        claim = _Claim(self, budget, account, limit)
        self.claims += 1
        key, ends_at = account.key, within.ends_at
        free = self._counted or budget.action is Action.WARN
        own = None if free else budgets._own(account, limit)
        alone = Purse(key, own, self.reserve, ends_at)
        shared = None if free else limit
        instead = None
        if not free and budget.route_to is not None:
            instead = Instead(budget.route_to, budget.name.partition("/")[0])
        return Charge(
            demand=alone if budgets._store is None else Purse(key, shared, self.reserve, ends_at),
            refusal=claim.refuse,
            actual=claim.settle,
            headers=claim.taken,
            instead=instead,
            overdrawn=None if instead is None else Purse(key, None, self.reserve, ends_at),
            alone=alone,
        )


class _Claim:
    """One purse of a request: notes in the ledger what the counters took and settled."""

    __slots__ = ("_account", "_budget", "_limit", "_order")

    def __init__(self, order: _Order, budget: Budget, account: Account, limit: int) -> None:
        self._order, self._budget, self._account, self._limit = order, budget, account, limit

    def taken(self, before: int) -> Headers:
        """Note the reservation; return the headers of the answer with the last purse of the request."""
        order, account = self._order, self._account
        account.reserved += order.reserve
        order.budgets._ledger.changed = True
        known = max(before, order.budgets._known(account))
        order.standings.append(self._standing(known))
        if len(order.standings) < order.claims or not order.unified:
            return ()
        return standing.headers(order.standings)

    def settle(self, usage: Usage) -> int:
        """Replace the reservation by what the request cost."""
        account = self._account
        account.reserved -= self._order.reserve
        account.spent += usage.cost
        self._order.budgets._ledger.changed = True
        return usage.cost

    def refuse(self, refused: Refused) -> Failure:  # noqa: ARG002 - the counters' signature
        """Word the failure: the money is spent, or only reserved until running requests end."""
        order, account = self._order, self._account
        found = self._standing(order.budgets._known(account))
        if found.spent >= self._limit:
            return standing.spent(found, unified=order.unified, now=order.now)
        account.short = max(account.short, order.reserve)
        return standing.busy(found, seconds=_BUSY_SECONDS)

    def _standing(self, spent: int) -> Standing:
        return Standing(self._budget, self._account.window, spent, self._limit, personal=bool(self._account.member))


def _window(key: str) -> Window:
    begins, _, ends = key.partition("-")
    return Window(int(begins), int(ends))
