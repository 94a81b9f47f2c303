"""Who has which model name."""

from typing import Any

import pytest
from tests.support.builders.objects import credential, plan, route, secret

from claude_gateway.contract.route import Cache
from claude_gateway.names import Reason
from claude_gateway.plan.claims import PATTERNS
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
    assert "`claude-x` already belongs to ModelRoute default/b" in problem.message
    status, reason, message = condition(decided, "a")
    assert (status, reason) == ("True", Reason.PARTIALLY_ACCEPTED)
    assert "`claude-x` already belongs to ModelRoute default/b" in message
    assert condition(decided, "b")[:2] == ("True", Reason.ACCEPTED)


def test_of_one_age_namespace_and_name_decide() -> None:
    decided = routed(
        route("b"),
        route("a"),
        route("a", namespace="a-team", targets=[{"model": "anthropic/x", "baseURL": "http://x.example"}]),
    )
    assert names(decided) == {"a-team/a": ("claude-sonnet-5-5",)}
    assert condition(decided, "b")[:2] == ("False", Reason.MODEL_TAKEN)


def test_a_route_that_lost_every_name_is_gone_and_told() -> None:
    decided = routed(route("a"), route("b", models=["claude-sonnet-5-5"]))
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


def alias(*routes: dict[str, Any], name: str = "default/r") -> str | None:
    return {entry.name: entry.alias for entry in routed(*routes).policy.routes}[name]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["gpt-5"], "claude-gpt-5"),
        (["gpt-*", "gpt-5", "smart"], "claude-gpt-5"),
        (["gpt-*"], None),
        (["gpt-5", "claude-x"], None),
        (["gpt-5", "anthropic-x"], None),
        (["us.anthropic.claude-x"], "claude-us.anthropic.claude-x"),
        (["gpt-5", "claude-*"], "claude-gpt-5"),
    ],
)
def test_a_route_that_no_picker_shows_gets_a_name_that_it_does(models: list[str], expected: str | None) -> None:
    assert alias(route("r", models=models)) == expected


def test_an_alias_never_takes_a_name_that_any_route_claims() -> None:
    mine = route("r", models=["gpt-5"])
    assert alias(mine, route("other", models=["claude-gpt-5"], created="2027-01-01T00:00:00Z")) is None
    unreadable = route("other", models=["claude-gpt-5"], nonsense=1)
    assert alias(mine, unreadable) is None
    assert alias(mine, route("other", models=["claude-*"])) == "claude-gpt-5"


def test_an_alias_is_made_of_a_name_that_was_won() -> None:
    older = route("older", models=["gpt-5"], created="2020-01-01T00:00:00Z")
    both = (older, route("r", models=["gpt-5", "smart"], created="2021-01-01T00:00:00Z"))
    assert alias(*both) == "claude-smart"
    assert alias(*both, name="default/older") == "claude-gpt-5"


def test_a_warning_says_which_name_is_listed_instead() -> None:
    found = routed(route("r", models=["gpt-5"], displayName="GPT"))
    (warning,) = found.problems
    assert "it lists this route as `claude-gpt-5`" in warning.message
    (other,) = routed(route("r", models=["gpt-*"], displayName="GPT")).problems
    assert "lists this route" not in other.message


@pytest.mark.parametrize(
    ("judge", "known"),
    [("claude-haiku", True), ("claude-x", True), ("claude-smart", True), ("nobody", False), ("smart2", False)],
)
def test_a_judge_is_some_routes_model(judge: str, known: bool) -> None:
    found = routed(
        route("r", models=["smart"], safeguardsModel=judge, created="2020-01-01T00:00:00Z"),
        route("haiku", models=["claude-haiku"]),
        route("all", models=["claude-*"]),
        route("odd", models=["odd"], nonsense=1, safeguardsModel="nobody"),
    )
    mine = [(p.field, p.reason) for p in found.problems if p.object.name == "r"]
    assert mine == ([] if known else [("spec.safeguardsModel", Reason.MODEL_NOT_FOUND)])
    serving = {entry.name: entry for entry in found.policy.routes}["default/r"]
    assert (serving.safeguards_model, len(serving.targets)) == (judge, 1)
    assert condition(found, "r")[:2] == ("True", Reason.ACCEPTED)


def test_estimates_are_asked_for() -> None:
    assert not routed(route("r")).policy.routes[0].estimate_tokens
    assert routed(route("r", tokenCounts="Estimate")).policy.routes[0].estimate_tokens


def test_a_cache_is_passed_on_with_its_default() -> None:
    assert routed(route("r")).policy.routes[0].cache is None
    assert routed(route("r", cache={"ttl": "90s"})).policy.routes[0].cache == Cache(ttl=90, max_bytes=1024**2)
    small = routed(route("r", cache={"ttl": "1h", "maxBytes": 2048})).policy.routes[0].cache
    assert small == Cache(ttl=3600, max_bytes=2048)


def test_patterns_of_many_stars_are_compared_in_linear_time() -> None:
    """A backtracking matcher would not end before the test run does."""
    stars = route("stars", models=["a*" * 125 + "b", "*a" * 125 + "*b"])
    asking = route("asking", models=["x"], safeguardsModel="a" * 253)
    decided = routed(stars, asking)
    assert [(p.object.name, p.field, p.reason) for p in decided.problems] == [
        ("asking", "spec.safeguardsModel", Reason.MODEL_NOT_FOUND)
    ]
    assert routed(stars, route("asking", models=["x"], safeguardsModel="a" * 252 + "b")).problems == ()


@pytest.mark.parametrize(("name", "kept"), [("openai/gpt-5", False), ("openai/gpt-6", True), ("openai/*", True)])
def test_an_older_name_of_another_namespace_covers_it_with_a_provider_in_front(name: str, kept: bool) -> None:
    old = route("old", models=["gpt-5"], namespace="a", created="2026-01-01T00:00:00Z")
    young = route("young", models=[name], namespace="b", created="2026-02-01T00:00:00Z")
    assert names(routed(old, young)).get("b/young", ()) == ((name,) if kept else ())


def test_the_patterns_of_a_namespace_are_bounded() -> None:
    """The gateway compares a name that it does not know with each pattern that begins like it, those of all tenants."""
    targets = [{"model": "anthropic/x", "baseURL": "http://x.example"}]
    full = [
        route(
            f"r{number}",
            models=[f"*-{number}-{part}" for part in range(32)],
            created="2025-01-01T00:00:00Z",
            targets=targets,
        )
        for number in range(PATTERNS // 32)
    ]
    left = PATTERNS % 32
    models = [*(f"*-y{part}" for part in range(left + 1)), "literal"]
    young = route("young", models=models, created="2026-01-01T00:00:00Z", targets=targets)
    other = route("other", models=["*-o"], targets=targets, namespace="other")
    decided = plan(*full, young, other)
    assert names(decided)["default/young"] == (*(f"*-y{part}" for part in range(left)), "literal")
    assert names(decided)["other/other"] == ("*-o",)
    (problem,) = decided.problems
    assert (problem.object.name, problem.field, problem.reason) == ("young", f"spec.models[{left}]", Reason.TOO_LARGE)
