"""A route's mirror: one more target, which the route serves without if it has a Problem."""

from typing import Any

import pytest
from tests.support.builders.objects import credential, plan, route, secret, target

from claude_gateway.contract.route import Mirror, Route
from claude_gateway.names import Reason
from claude_gateway.plan.decide import Plan


def decided(mirror: dict[str, Any], *targets: dict[str, Any], percent: float = 5) -> Plan:
    openai = credential("openai", provider="openai")
    mirrored = route(targets=targets or [target()], mirror={"target": mirror, "percent": percent})
    return plan(secret(), credential(), openai, mirrored)


def served(found: Plan) -> Route:
    return found.policy.routes[0]


def test_a_mirror_is_a_target_of_its_own() -> None:
    found = decided(target("openai/gpt-5", "openai"), percent=0.5)
    mirror = served(found).mirror
    assert isinstance(mirror, Mirror)
    assert (mirror.target.provider, mirror.target.model, mirror.percent) == ("openai", "gpt-5", 0.5)
    assert mirror.target.id.startswith("default/sonnet/mirror.")
    assert served(found).all_targets == (*served(found).targets, mirror.target)
    assert found.problems == ()


def test_its_key_is_in_the_bundle_and_in_the_slices() -> None:
    found = decided(target("openai/gpt-5", "openai"))
    mirror = served(found).mirror
    assert mirror is not None
    assert set(mirror.target.entries) <= set(found.bundle.secrets)
    assert b"gpt-5" in found.bundle.litellm


def test_a_change_of_the_mirror_is_another_target() -> None:
    mirrors = [served(decided(target(model, "openai"))).mirror for model in ("openai/gpt-5", "openai/gpt-5-mini")]
    assert len({mirror.target.id for mirror in mirrors if mirror is not None}) == 2


@pytest.mark.parametrize(
    ("mirror", "field", "reason"),
    [
        (target("openai/gpt-5", "nobody"), "spec.mirror.target.credential", Reason.CREDENTIAL_NOT_FOUND),
        (target("openai/gpt-5", "anthropic"), "spec.mirror.target.credential", Reason.CREDENTIAL_MISMATCH),
        (target("nowhere/x", "openai"), "spec.mirror.target.model", Reason.PROVIDER_UNKNOWN),
    ],
)
def test_the_route_serves_without_a_mirror_that_cannot(mirror: dict[str, Any], field: str, reason: Reason) -> None:
    found = decided(mirror)
    assert [(problem.field, problem.reason) for problem in found.problems] == [(field, reason)]
    assert served(found).mirror is None
    assert len(served(found).targets) == 1


def test_a_route_without_targets_mirrors_nothing() -> None:
    found = decided(target("openai/gpt-5", "openai"), target(credential="nobody"))
    assert served(found).targets == ()
    assert served(found).mirror is None


def test_a_retiring_model_of_a_mirror_is_warned_of() -> None:
    found = decided(target("anthropic/claude-3-5-haiku-latest", prices={"input": "0.80", "output": "4"}))
    assert [problem.field for problem in found.problems] == ["spec.mirror.target.model"]
    assert served(found).mirror is not None


def test_verbatim_names_are_passed_to_the_data_plane() -> None:
    found = plan(secret(), credential(), route(targets=[target("anthropic/*", verbatim=True), target()]))
    assert [each.verbatim for each in found.policy.routes[0].targets] == [True, False]
