"""Budgets: each request takes money from every budget that pays for it, and settles with its real cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from claude_gateway.contract.budget import MOST_OF_CALLER, Action, Budget, Window, window
from claude_gateway.contract.payers import Payers, member
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.admission import standing
from claude_gateway_proxy.gateway.admission.admission import Charge, Usage
from claude_gateway_proxy.gateway.admission.counters.counters import Refused
from claude_gateway_proxy.gateway.admission.demand import Instead, Purse
from claude_gateway_proxy.gateway.admission.ledger import Account
from claude_gateway_proxy.gateway.admission.standing import Standing
from claude_gateway_proxy.gateway.admission.till import Till
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

    def __init__(self, till: Till) -> None:
        """``till`` is the money of this process."""
        self._till = till

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
        order = _Order(self._till, call, reservation(call))
        return [charge for budget in found for charge in order.of(budget)]

    def standings(self, payers: Payers, principal: Principal) -> tuple[usage.Standing, ...]:
        """Return a caller's standing with each budget that pays for it, and with its own part of each, for its reports.

        If there are too many, only the first are returned.
        """
        found = _payers(principal, payers)[:MOST_OF_CALLER]
        now, name = self._till.unix(), member(principal.client.name, principal.user)
        all_of = (
            self._standing(budget, window(budget.period, now), who)
            for budget in found
            for who in (*([name] if budget.per_member is not None else []), "")
        )
        return tuple(each.reported() for each in all_of)

    def spent(self, budgets: Mapping[str, Budget]) -> Iterator[tuple[str, int, int]]:
        """Yield each budget with what was spent in its window, as far as this process knows, and its amount."""
        now = self._till.unix()
        for name, budget in budgets.items():
            yield name, self._standing(budget, window(budget.period, now), "").spent, budget.amount

    def _standing(self, budget: Budget, within: Window, who: str) -> Standing:
        limit = budget.amount if not who or budget.per_member is None else budget.per_member
        known = self._till.known(self._till.ledger.account(budget.name, within, who))
        return Standing(budget, within, known, limit, personal=bool(who))


def _payers(principal: Principal, payers: Payers) -> Sequence[Budget]:
    return payers.of(principal.client.name, team=principal.team, groups=principal.groups)


class _Order:
    """The money that one request demands."""

    def __init__(self, till: Till, call: Call, reserve: int) -> None:
        self.till = till
        self.reserve = reserve
        self.now = till.unix()
        self.unified = call.wire in (Wire.ANTHROPIC, Wire.VERTEX)
        self.standings: list[Standing] = []
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
        till = self.till
        account = till.ledger.account(budget.name, within, who)
        claim = _Claim(self, budget, account, limit)
        self.claims += 1
        key, ends_at = account.key, within.ends_at
        # A request that costs nothing at every target of its route needs no money.
        free = self._counted or budget.action is Action.WARN or not self.reserve
        own = None if free else till.own(account, limit)
        demand = alone = Purse(key, own, self.reserve, ends_at, whole=self.whole)
        if till.store is not None:
            shared = None if free else limit - till.unstored(account)
            demand = Purse(key, shared, self.reserve, ends_at, known=till.stored(account), whole=self.whole)
        instead = None
        if not free and not self.whole and budget.route_to is not None:
            instead = Instead(budget.route_to, budget.name.partition("/")[0])
        return Charge(
            demand=demand,
            refusal=claim.refuse,
            actual=claim.settle,
            headers=claim.taken,
            instead=instead,
            overdrawn=None if instead is None else replace(demand, amount=None),
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
        order.till.ledger.changed.set()
        known = max(before, order.till.known(account))
        order.standings.append(self._standing(known))
        if len(order.standings) < order.claims or not order.unified:
            return ()
        return standing.headers(order.standings)

    def settle(self, usage: Usage) -> int:
        """Replace the reservation by what the request cost."""
        account = self._account
        account.reserved -= self._order.reserve
        account.spent += usage.cost
        self._order.till.ledger.changed.set()
        return usage.cost

    def refuse(self, refused: Refused) -> Failure:  # noqa: ARG002 - the counters' signature
        """Return the failure: the money is spent, or only reserved until running requests end."""
        order, account = self._order, self._account
        found = self._standing(order.till.known(account))
        if found.spent >= self._limit:
            return standing.spent(found, unified=order.unified, now=order.now)
        if order.whole and found.spent + order.reserve > self._limit:
            return standing.too_large(found, order.reserve)
        account.short = max(account.short, order.reserve)
        return standing.busy(found, seconds=_BUSY_SECONDS)

    def _standing(self, spent: int) -> Standing:
        return Standing(self._budget, self._account.window, spent, self._limit, personal=bool(self._account.member))
