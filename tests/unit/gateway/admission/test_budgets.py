"""Which budgets a request asks for money."""

import msgspec
import pytest
from tests.support.builders import bundles, calls

from claude_gateway.contract.budget import MOST_OF_CALLER, Budget
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.snapshot import build


def _call(groups: int) -> Call:
    """A request of a person of so many groups, each of which has 16 budgets."""
    budgets = [Budget(name=f"ns/{at}", amount=1, groups=(f"g{at // 16}",)) for at in range(16 * groups)]
    call = calls.call()
    principal = msgspec.structs.replace(call.principal, groups=tuple(f"g{at}" for at in range(groups)))
    snapshot = build(bundles.bundle([call.route], budgets=budgets))
    return msgspec.structs.replace(call, principal=principal, snapshot=snapshot)


def test_a_request_asks_a_bounded_number_of_budgets() -> None:
    part = Budgets(SpendTracker(alone=MemoryCounters()))
    most, more = _call(MOST_OF_CALLER // 16), _call(MOST_OF_CALLER // 16 + 1)
    assert len(part.charges(most)) == MOST_OF_CALLER
    with pytest.raises(
        Failure, match=f"more than {MOST_OF_CALLER} Budgets pay for your requests, and your token has 17"
    ):
        part.charges(more)
    assert len(part.usage_of(more.snapshot.payers, more.principal)) == MOST_OF_CALLER
