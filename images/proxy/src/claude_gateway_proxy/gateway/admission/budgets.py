"""Budgets: each request takes money from every budget that pays for it, and settles with its real cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from claude_gateway.contract.budget import MOST_OF_CALLER, Action, Budget, Window, window
from claude_gateway.contract.payers import Payers, member
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.admission import budget_state
from claude_gateway_proxy.gateway.admission.admission import Charge, Usage
from claude_gateway_proxy.gateway.admission.budget_state import BudgetState
from claude_gateway_proxy.gateway.admission.counters.counters import Refused
from claude_gateway_proxy.gateway.admission.demand import Purse, Substitute
from claude_gateway_proxy.gateway.admission.ledger import Account
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs import usage
from claude_gateway_proxy.gateway.costs.reservation import reservation
from claude_gateway_proxy.gateway.errors import Failure, too_many_budgets
from claude_gateway_runtime.asgi import Headers

_BUSY_SECONDS: Final = 2
"""When to retry a request that found everything reserved: a new lease takes about as long."""


class Budgets:
    """Demands the money for each request; created once at start."""

    def __init__(self, tracker: SpendTracker) -> None:
        """``tracker`` is the money of this process."""
        self._tracker = tracker

    def charges(self, call: Call) -> Sequence[Charge]:
        """Return the purses of a request, children before their parents; empty if no budget pays for it.

        Raises Failure if too many budgets do.
        """
        payers = call.snapshot.payers
        if not payers or not call.uses_tokens:
            return ()
        principal = call.principal
        found = _payers(principal, payers)
        if not found:
            return ()
        if len(found) > MOST_OF_CALLER:
            raise too_many_budgets(MOST_OF_CALLER, groups=len(principal.groups))
        order = _Order(self._tracker, call, reservation(call))
        return [charge for budget in found for charge in order.of(budget)]

    def usage_of(self, payers: Payers, principal: Principal) -> tuple[usage.BudgetUsage, ...]:
        """Return the usage of each budget that pays for a caller, and of its own part of each, for its reports.

        If there are too many, only the first are returned.
        """
        found = _payers(principal, payers)[:MOST_OF_CALLER]
        now, name = self._tracker.unix(), member(principal.client.name, principal.user)
        all_of = (
            self._state(budget, window(budget.period, now), who)
            for budget in found
            for who in (*([name] if budget.per_member is not None else []), "")
        )
        return tuple(each.reported() for each in all_of)

    def spent(self, budgets: Mapping[str, Budget]) -> Iterator[tuple[str, int, int]]:
        """Yield each budget with what was spent in its window, as far as this process knows, and its amount."""
        now = self._tracker.unix()
        for name, budget in budgets.items():
            yield name, self._state(budget, window(budget.period, now), "").spent, budget.amount

    def _state(self, budget: Budget, within: Window, who: str) -> BudgetState:
        limit = budget.amount if not who or budget.per_member is None else budget.per_member
        known = self._tracker.known(self._tracker.ledger.account(budget.name, within, who))
        return BudgetState(budget, within, known, limit, personal=bool(who))


def _payers(principal: Principal, payers: Payers) -> Sequence[Budget]:
    return payers.of(principal.client.name, team=principal.team, groups=principal.groups)


class _Order:
    """The money that one request demands."""

    def __init__(self, tracker: SpendTracker, call: Call, reserve: int) -> None:
        self.tracker = tracker
        self.reserve = reserve
        self.now = tracker.unix()
        self.unified = call.wire in (Wire.ANTHROPIC, Wire.VERTEX)
        self.states: list[BudgetState] = []
        self.claims = 0
        # The gateway's own requests that complete a response are charged, but can no longer be rejected.
        self._counted = call.origin is not None and call.record.mirrors is None
        self._member = member(call.client.name, call.principal.user)
        # A batch continues at the upstream, where nothing can stop it at the amount.
        self.whole = call.batch is not None

    def of(self, budget: Budget) -> Iterator[Charge]:
        """Yield the demands on a budget: on the caller's own part first."""
        within = window(budget.period, self.now)
        if budget.per_member is not None:
            yield self._charge(budget, within, self._member, budget.per_member)
        yield self._charge(budget, within, "", budget.amount)

    def _charge(self, budget: Budget, within: Window, who: str, limit: int) -> Charge:
        tracker = self.tracker
        account = tracker.ledger.account(budget.name, within, who)
        claim = _Claim(self, budget, account, limit)
        self.claims += 1
        key, ends_at = account.key, within.ends_at
        # A request that costs nothing at every target of its route needs no money.
        free = self._counted or budget.action is Action.WARN or not self.reserve
        own = None if free else tracker.own(account, limit)
        demand = alone = Purse(key, own, self.reserve, ends_at, whole=self.whole)
        if tracker.store is not None:
            shared = None if free else limit - tracker.unstored(account)
            demand = Purse(key, shared, self.reserve, ends_at, known=tracker.stored(account), whole=self.whole)
        substitute = None
        if not free and not self.whole and budget.route_to is not None:
            substitute = Substitute(budget.route_to, budget.name.partition("/")[0])
        return Charge(
            demand=demand,
            refusal=claim.refuse,
            actual=claim.settle,
            headers=claim.taken,
            substitute=substitute,
            overdrawn=None if substitute is None else replace(demand, amount=None),
            alone=alone,
        )


class _Claim:
    """One purse of a request: records in the ledger what the counters took and settled."""

    __slots__ = ("_account", "_budget", "_limit", "_order")

    def __init__(self, order: _Order, budget: Budget, account: Account, limit: int) -> None:
        self._order, self._budget, self._account, self._limit = order, budget, account, limit

    def taken(self, before: int) -> Headers:
        """Record the reservation; return the response headers with the last purse of the request."""
        order, account = self._order, self._account
        account.reserved += order.reserve
        order.tracker.ledger.changed.set()
        known = max(before, order.tracker.known(account))
        order.states.append(self._state(known))
        if len(order.states) < order.claims or not order.unified:
            return ()
        return budget_state.headers(order.states)

    def settle(self, usage: Usage) -> int:
        """Replace the reservation by what the request cost."""
        account = self._account
        account.reserved -= self._order.reserve
        account.spent += usage.cost
        self._order.tracker.ledger.changed.set()
        return usage.cost

    def refuse(self, refused: Refused) -> Failure:  # noqa: ARG002 - the counters' signature
        """Return the failure: the money is spent, or only reserved until running requests end."""
        order, account = self._order, self._account
        found = self._state(order.tracker.known(account))
        if found.spent >= self._limit:
            return budget_state.spent(found, unified=order.unified, now=order.now)
        if order.whole and found.spent + order.reserve > self._limit:
            return budget_state.too_large(found, order.reserve)
        account.short = max(account.short, order.reserve)
        return budget_state.busy(found, seconds=_BUSY_SECONDS)

    def _state(self, spent: int) -> BudgetState:
        return BudgetState(self._budget, self._account.window, spent, self._limit, personal=bool(self._account.member))
