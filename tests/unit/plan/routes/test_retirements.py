"""Models that their provider retires."""

from datetime import UTC, datetime

import pytest
from tests.support.builders.objects import credential, route, secret, target

from claude_gateway.names import Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import Settings

BEFORE = datetime(2026, 11, 29, tzinfo=UTC)
AFTER = datetime(2026, 11, 30, tzinfo=UTC)


def decided(model: str, *names: str, now: datetime = BEFORE) -> Plan:
    manifests = [secret(), credential(), route(models=names or ("m",), targets=[target(model)])]
    return decide(read(manifests, Settings()), now)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"])
@pytest.mark.parametrize(("now", "verb"), [(BEFORE, "retires"), (AFTER, "retired")])
def test_a_target_with_a_retiring_model_serves_with_a_warning(model: str, now: datetime, verb: str) -> None:
    plan = decided(f"anthropic/{model}", now=now)
    (problem,) = plan.problems
    assert (problem.field, problem.reason, problem.severity) == (
        "spec.targets[0].model",
        Reason.MODEL_RETIRING,
        Severity.WARNING,
    )
    assert problem.message == f"Anthropic {verb} `anthropic/{model}` on 30 November 2026"
    assert "`anthropic/claude-sonnet-5-5`" in problem.fix
    assert len(plan.policy.routes[0].targets) == 1


@pytest.mark.parametrize("name", ["claude-3-5-haiku-latest", "claude-sonnet-4-5[1m]", "claude-sonnet-4-5-20250929[1m]"])
def test_a_name_that_is_passed_on_is_warned_of(name: str) -> None:
    (problem,) = decided("anthropic/*", "claude-sonnet-5-5", name).problems
    assert problem.field == "spec.models[1]"


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("anthropic/claude-sonnet-5-5", ("claude-sonnet-4-5",)),
        ("anthropic/*", ("claude-*",)),
        ("anthropic/claude-sonnet-4-6", ("m",)),
        ("anthropic/claude-opus-4-7", ("m",)),
    ],
)
def test_other_models_are_not(model: str, names: tuple[str, ...]) -> None:
    assert decided(model, *names).problems == ()


def test_a_cloud_has_its_own_dates() -> None:
    found = decided("hosted_vllm/claude-sonnet-4-5").problems
    assert Reason.MODEL_RETIRING not in {problem.reason for problem in found}
