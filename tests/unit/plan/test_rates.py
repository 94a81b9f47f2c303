"""Limits and priorities as the data plane gets them."""

from typing import Any

from tests.support.builders.objects import client, credential, plan, route, secret, target

from claude_gateway.contract.client import Priority
from claude_gateway.contract.limits import Limits
from claude_gateway.plan.decide import Plan

_ALL = {"requestsPerMinute": 1, "inputTokensPerMinute": 2, "outputTokensPerMinute": 3, "concurrent": 4}


def decided(*, route_limits: Any = None, target_limits: Any = None, **of_client: Any) -> Plan:
    of_route = {} if route_limits is None else {"limits": route_limits}
    limited = target() if target_limits is None else target(limits=target_limits)
    return plan(secret(), credential(), route(targets=[limited], **of_route), client(**of_client))


def test_limits_reach_the_client_the_route_and_the_target() -> None:
    found = decided(route_limits={"concurrent": 5}, target_limits={"requestsPerMinute": 6}, limits=_ALL)
    served = found.policy.routes[0]
    every = Limits(requests_per_minute=1, input_tokens_per_minute=2, output_tokens_per_minute=3, concurrent=4)
    assert found.policy.clients[0].limits == every
    assert served.limits == Limits(concurrent=5)
    assert served.targets[0].limits == Limits(requests_per_minute=6)
    assert found.problems == ()


def test_without_limits_there_are_none_and_people_come_first() -> None:
    found = decided()
    served, caller = found.policy.routes[0], found.policy.clients[0]
    assert (caller.limits, served.limits, served.targets[0].limits) == (None, None, None)
    assert caller.priority is Priority.INTERACTIVE
    assert decided(priority="Batch").policy.clients[0].priority is Priority.BATCH


def test_a_changed_limit_keeps_the_name_under_which_its_target_is_counted() -> None:
    ids = {decided(target_limits={"concurrent": most}).policy.routes[0].targets[0].id for most in (1, 2)}
    assert len(ids) == 2
    assert len({each.rpartition(".")[0] for each in ids}) == 1
