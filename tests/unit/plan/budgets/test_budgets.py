"""Budgets: what the data plane gets of them, and which mistakes are named. A mistake never switches one off."""

from typing import Any

import pytest
from tests.support.builders.objects import (
    NOW,
    aws_keys,
    budget,
    client,
    credential,
    manifest,
    plan,
    route,
    secret,
    target,
)

from claude_gateway.contract.budget import MOST_OF_ONE, Action, Budget
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import Settings

TEAM = Settings(namespace="gateway", strict=False)


def elsewhere(*manifests: object) -> Plan:
    """Decide where the release is in another namespace than the objects."""
    return decide(read(manifests, TEAM), NOW)


def held(decided: Plan, name: str = "everyone", namespace: str = "default") -> Budget:
    return next(each for each in decided.policy.budgets if each.name == f"{namespace}/{name}")


def problems(decided: Plan, name: str = "everyone") -> list[tuple[str, Reason, Severity]]:
    return [
        (p.field, p.reason, p.severity) for p in decided.problems if (p.object.kind, p.object.name) == ("Budget", name)
    ]


def test_a_budget_is_held_in_billionths_of_a_dollar() -> None:
    written = budget(amount="250.00", perMember="0.000001", period="Day", contact="ask Alice", action="Warn")
    found = held(plan(written))
    assert (found.amount, found.per_member, found.period) == (250_000_000_000, 1_000, "Day")
    assert (found.contact, found.action, found.everywhere) == ("ask Alice", Action.WARN, True)


def test_the_bundle_holds_it_and_a_reader_of_an_older_one_gets_none() -> None:
    decided = plan(budget())
    assert b'"budgets":[{' in decided.bundle.gateway
    assert b'"budgets":[]' in plan(client(), secret()).bundle.gateway


@pytest.mark.parametrize(
    ("written", "everywhere", "own"),
    [
        ("*", ("*",), ("default/*",)),
        ("ci", ("default/ci",), ("default/ci",)),
        ("default/ci", ("default/ci",), ("default/ci",)),
        ("team-a/ci", ("team-a/ci",), ()),
        ("team-a/*", ("team-a/*",), ()),
    ],
)
def test_only_a_budget_of_the_releases_namespace_reaches_others(
    written: str, everywhere: tuple[str, ...], own: tuple[str, ...]
) -> None:
    assert held(plan(budget(clients=[written]))).clients == everywhere
    decided = elsewhere(budget(clients=[written]))
    assert held(decided).clients == own
    assert not held(decided).everywhere
    refused = [p for p in problems(decided) if p[1] is Reason.CLIENT_NOT_ALLOWED]
    assert refused == ([] if own else [("spec.clients[0]", Reason.CLIENT_NOT_ALLOWED, Severity.ERROR)])


def test_a_listed_client_that_does_not_exist_is_a_warning() -> None:
    assert problems(plan(budget(clients=["alice", "nobody"]), client(), secret())) == [
        ("spec.clients[1]", Reason.CLIENT_NOT_FOUND, Severity.WARNING)
    ]


def test_a_parent_is_a_budget_of_the_same_namespace() -> None:
    decided = plan(budget("team", parent="everyone"), budget())
    assert held(decided, "team").parent == "default/everyone"
    assert problems(decided, "team") == []
    other = plan(budget("team", parent="everyone"), budget(namespace="other"))
    assert held(other, "team").parent is None
    assert problems(other, "team") == [("spec.parent", Reason.PARENT_NOT_FOUND, Severity.ERROR)]


def test_a_parent_with_problems_of_its_own_is_not_used() -> None:
    decided = plan(budget("team", parent="everyone"), manifest(Kind.BUDGET, "everyone", {"amount": "none"}))
    assert [each.name for each in decided.policy.budgets] == ["default/team"]
    assert "has problems of its own" in next(p.message for p in decided.problems if p.object.name == "team")


def test_budgets_in_a_circle_count_without_their_parents() -> None:
    circle = [budget(name, parent=parent) for name, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"))]
    decided = plan(*circle)
    assert {each.name: each.parent for each in decided.policy.budgets} == {
        "default/a": None,
        "default/b": None,
        "default/c": None,
        "default/d": "default/a",
    }
    for name in "abc":
        assert problems(decided, name) == [("spec.parent", Reason.PARENTS_INVALID, Severity.ERROR)]
    assert problems(decided, "d") == []


def test_its_own_parent_is_a_circle() -> None:
    decided = plan(budget("a", parent="a"))
    assert held(decided, "a").parent is None
    assert "a → a are ancestors" in next(p.message for p in decided.problems if p.object.name == "a")


@pytest.mark.parametrize("backwards", [False, True])
def test_a_line_of_parents_ends_after_eight(backwards: bool) -> None:
    names = [f"b{number:02}" for number in range(20)]
    if backwards:
        names.reverse()
    line = [budget(name, **({"parent": names[number - 1]} if number else {})) for number, name in enumerate(names)]
    decided = plan(*line)
    cut = [number for number, name in enumerate(names) if held(decided, name).parent is None]
    assert cut == [0, 8, 16]
    named = [any(at == "spec.parent" for at, _, _ in problems(decided, name)) for name in names]
    assert named == [number in (8, 16) for number in range(20)]


def test_a_budget_for_nobody_is_a_warning_unless_others_pay_into_it() -> None:
    alone = manifest(Kind.BUDGET, "everyone", {"amount": "5"})
    assert problems(plan(alone)) == [("spec", Reason.NO_MATCHING_REQUESTS, Severity.WARNING)]
    assert problems(plan(alone, budget("team", parent="everyone"))) == []


def people(team: str) -> dict[str, Any]:
    lines = f"alice@example.com sha256:{'0' * 64} team={team}"
    return secret("people", {"key": lines})


def test_a_team_that_no_key_has_is_a_warning() -> None:
    listed = manifest(Kind.GATEWAY_CLIENT, "people", {"keys": [{"hashesFrom": {"name": "people"}}]})
    written = budget(teams=["blue", "green"], groups=["eng"])
    assert problems(plan(written, listed, people("blue"))) == [
        ("spec.groups", Reason.NO_MATCHING_REQUESTS, Severity.WARNING),
        ("spec.teams[1]", Reason.NO_MATCHING_REQUESTS, Severity.WARNING),
    ]
    tokens = {"jwt": [{"issuer": "https://login.example.com", "audiences": ["gateway"]}]}
    assert problems(plan(written, manifest(Kind.GATEWAY_CLIENT, "tokens", tokens))) == []
    # Of another namespace's people and tokens, a budget outside of the release's namespace knows nothing.
    theirs = [manifest(Kind.GATEWAY_CLIENT, "tokens", tokens, namespace="other")]
    assert len(problems(elsewhere(written, *theirs))) == 3
    assert problems(elsewhere(budget(teams=["blue"]), listed, people("blue"))) == []


def serving(**fields: Any) -> list[Any]:
    return [secret(), credential(), route("cheap", models=["haiku", "mini-*"], targets=[target()], **fields)]


@pytest.mark.parametrize("model", ["haiku", "mini-1"])
def test_a_spent_budget_may_send_requests_to_a_model_that_is_served(model: str) -> None:
    found = held(plan(budget(action="Route", routeTo=model), *serving()))
    assert (found.action, found.route_to) == (Action.ROUTE, model)


def test_without_a_route_that_serves_its_model_a_budget_blocks() -> None:
    decided = plan(budget(action="Route", routeTo="haiku"))
    assert (held(decided).action, held(decided).route_to) == (Action.BLOCK, None)
    assert problems(decided) == [("spec.routeTo", Reason.MODEL_NOT_FOUND, Severity.ERROR)]


def test_a_route_of_another_namespace_serves_only_if_it_admits_this_one() -> None:
    written = budget(action="Route", routeTo="haiku")
    theirs = [{**each, "metadata": {**each["metadata"], "namespace": "other"}} for each in serving()]
    assert held(elsewhere(written, *theirs)).action is Action.BLOCK
    admits = {"from": "Namespaces", "namespaces": ["default"]}
    theirs[-1]["spec"]["allowedClients"] = admits
    assert held(elsewhere(written, *theirs)).action is Action.ROUTE


def test_a_problem_of_one_budget_does_not_affect_another() -> None:
    alone = plan(budget("good", amount="7"), aws_keys())
    beside = plan(budget("good", amount="7"), aws_keys(), budget("bad", parent="bad", clients=["nobody"]))
    assert held(beside, "good") == held(alone, "good")
    assert problems(beside, "good") == problems(alone, "good") == []


@pytest.mark.parametrize("field", ["clients", "teams", "groups"])
def test_few_enough_budgets_name_one_caller_that_a_request_stays_cheap(field: str) -> None:
    mine: dict[str, Any] = {"clients": None, field: ["one"]}
    late = budget("late", **{**mine, field: ["other", "one"]}, created="2026-03-01T00:00:00Z")
    full = [budget(f"b{number:02}", **mine) for number in range(MOST_OF_ONE)]
    theirs = budget("theirs", **mine, namespace="team-b")
    decided = elsewhere(late, *full, theirs)
    prefix = "default/" if field == "clients" else ""
    assert getattr(held(decided, "late"), field) == (f"{prefix}other",), "the rest of it counts"
    assert getattr(held(decided, "b15"), field) == (f"{prefix}one",), "the older ones keep it"
    assert getattr(held(decided, "theirs", "team-b"), field), "each namespace has room of its own"
    found = [p for p in decided.problems if p.reason is Reason.TOO_MANY_BUDGETS]
    assert [(p.object.name, p.field, p.severity) for p in found] == [("late", f"spec.{field}", Severity.ERROR)]
    assert f"16 older Budgets of this namespace name `{prefix}one`, too" in found[0].message
    full_again = elsewhere(*full, budget("late", **{**mine, field: ["one"]}), *full[1:])
    assert getattr(held(full_again, "late"), field) == ()


def test_a_name_that_a_budget_writes_twice_counts_once() -> None:
    twice = [budget(f"b{number:02}", clients=["ci", "default/ci"]) for number in range(MOST_OF_ONE)]
    assert Reason.TOO_MANY_BUDGETS not in {problem.reason for problem in plan(*twice).problems}
    found = plan(
        *twice, budget("late", clients=["ci", "two", "default/ci", "three"]), budget("b16", clients=["ci", "two"])
    )
    assert held(found, "late").clients == ("default/two", "default/three")
