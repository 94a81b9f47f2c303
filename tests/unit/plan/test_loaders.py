"""Whatever the planner accepts, every process can load."""

from hypothesis import given, settings
from tests.unit.plan.test_properties import WORLDS, plan_of

from claude_gateway.contract.bundle import pack
from claude_gateway_proxy.agent.keeper import verify
from claude_gateway_proxy.gateway import snapshot
from claude_gateway_proxy.litellm import targets


@settings(deadline=None)
@given(WORLDS)
def test_agent_gateway_and_worker_take_what_the_planner_accepts(manifests: list[dict[str, object]]) -> None:
    decided = plan_of(manifests)
    assert decided.bundle is not None
    bundle = verify(pack(decided.bundle))
    assert snapshot.build(bundle).revision == bundle.meta.revision
    table = targets.build(bundle)
    assert sorted(table.targets) == sorted(target.id for route in decided.policy.routes for target in route.targets)
