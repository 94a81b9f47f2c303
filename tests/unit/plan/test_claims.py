"""Who has which model name."""

from typing import Any

import pytest
from tests.support.builders import credential, plan, route, secret

from claude_gateway.names import Reason
from claude_gateway.plan.claims import matches
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.problem import Severity


def names(decided: Plan) -> dict[str, tuple[str, ...]]:
    return {entry.name: entry.models for entry in decided.policy.routes}


def condition(decided: Plan, name: str) -> tuple[str, str, str]:
    (status,) = [
        status for status in decided.statuses if (status.object.kind, status.object.name) == ("ModelRoute", name)
    ]
    return status.conditions[0].status, status.conditions[0].reason, status.conditions[0].message


def routed(*routes: dict[str, Any]) -> Plan:
    return plan(secret(), credential(), *routes)


def test_the_older_route_wins_and_the_younger_keeps_its_other_names() -> None:
    young = route("a", models=["claude-x", "claude-y"], created="2026-02-01T00:00:00Z")
    old = route("b", models=["claude-x"], created="2026-01-01T00:00:00Z")
    decided = routed(young, old)
    assert names(decided) == {"default/a": ("claude-y",), "default/b": ("claude-x",)}
    (problem,) = decided.problems
    assert (problem.object.name, problem.field, problem.reason) == ("a", "spec.models[0]", Reason.MODEL_TAKEN)
    assert "`claude-x` belongs to ModelRoute default/b" in problem.message
    status, reason, message = condition(decided, "a")
    assert (status, reason) == ("True", Reason.PARTIALLY_ACCEPTED)
    assert "`claude-x` belongs to ModelRoute default/b" in message
    assert condition(decided, "b")[:2] == ("True", Reason.ACCEPTED)


def test_of_one_age_namespace_and_name_decide() -> None:
    decided = routed(
        route("b"),
        route("a"),
        route("a", namespace="a-team", targets=[{"model": "anthropic/x", "baseURL": "http://x.example"}]),
    )
    assert names(decided) == {"a-team/a": ("claude-sonnet-4-5",)}
    assert condition(decided, "b")[:2] == ("False", Reason.MODEL_TAKEN)


def test_a_route_that_lost_every_name_is_gone_and_told() -> None:
    decided = routed(route("a"), route("b", models=["claude-sonnet-4-5"]))
    assert condition(decided, "b")[:2] == ("False", Reason.MODEL_TAKEN)
    assert decided.problems[0].severity is Severity.ERROR


def test_patterns_that_mean_the_same_are_the_same_claim() -> None:
    decided = routed(route("a", models=["claude-*"]), route("b", models=["claude-**"]), route("c", models=["x-***-y"]))
    assert names(decided) == {"default/a": ("claude-*",), "default/c": ("x-*-y",)}


def test_one_route_may_write_a_name_twice() -> None:
    decided = routed(route("a", models=["x*", "x**", "y"]))
    assert names(decided) == {"default/a": ("x*", "y")}
    assert decided.problems == ()


def test_patterns_that_only_overlap_are_no_conflict() -> None:
    decided = routed(route("a", models=["claude-*"]), route("b", models=["claude-sonnet-*"]), route("c", models=["*"]))
    assert len(names(decided)) == 3
    assert decided.problems == ()


def test_an_unreadable_route_keeps_its_names_from_wildcards_but_takes_none() -> None:
    broken = route("a", models=["claude-x", "claude-y"], nonsense=1, created="2020-01-01T00:00:00Z")
    decided = routed(broken, route("b", models=["claude-x", "claude-*"], created="2026-01-01T00:00:00Z"))
    assert names(decided) == {"default/a": ("claude-y",), "default/b": ("claude-x", "claude-*")}
    assert decided.policy.routes[0].targets == ()
    assert condition(decided, "a")[:2] == ("False", Reason.INVALID)
    assert condition(decided, "b")[:2] == ("True", Reason.ACCEPTED)


def test_an_unreadable_route_that_names_nothing_is_left_out() -> None:
    assert names(routed(route("a", models=["not a name"]))) == {}


@pytest.mark.parametrize("name", ["os.environ/KEY", "OS.ENVIRON/KEY", "oidc/google/x"])
def test_a_name_that_reads_as_a_secret_is_refused(name: str) -> None:
    decided = routed(route("a", models=["claude-x", name]))
    assert names(decided) == {"default/a": ("claude-x",)}
    (problem,) = decided.problems
    assert (problem.field, problem.reason) == ("spec.models[1]", Reason.MODEL_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("models", "warned"),
    [(["gpt-5"], True), (["claude-*"], True), (["gpt-5", "claude-x"], False), (["anthropic.claude"], False)],
)
def test_a_name_for_people_that_no_picker_shows_is_a_warning(models: list[str], warned: bool) -> None:
    decided = routed(route("a", models=models, displayName="Sonnet"))
    assert [(p.field, p.reason, p.severity) for p in decided.problems] == (
        [("spec.displayName", Reason.MODEL_NOT_LISTED, Severity.WARNING)] if warned else []
    )
    assert condition(decided, "a")[:2] == ("True", Reason.ACCEPTED)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("*", "", True), ("a.b", "axb", False), ("a*c", "abc", True), ("a*", "ba", False), ("*[1m]", "x[1m]", True)],
)
def test_only_a_star_is_special(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits
