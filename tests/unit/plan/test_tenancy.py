"""Namespaces: whose names are whose, who may use a route, and which judge it may ask."""

from typing import Any

import pytest
from tests.support.builders.objects import CLIENT_KEY, client, plan, route, secret, target

from claude_gateway.contract.route import Route
from claude_gateway.names import Reason
from claude_gateway.plan.claims import COMPARED
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.problem import Problem, Severity

OLD, YOUNG = "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
ALL = {"from": "All"}


def keyless(name: str, *models: str, namespace: str = "default", created: str | None = None, **fields: Any) -> Any:
    targets = [target("anthropic/x", baseURL="http://x.example")]
    return route(name, models=models, targets=targets, namespace=namespace, created=created, **fields)


def listing(*namespaces: str) -> dict[str, Any]:
    return {"from": "Namespaces", "namespaces": list(namespaces)}


def held(decided: Plan) -> dict[str, tuple[str, ...]]:
    return {entry.name: entry.models for entry in decided.policy.routes}


def entry(decided: Plan, name: str) -> Route:
    return {each.name: each for each in decided.policy.routes}[name]


def accepted(decided: Plan, name: str) -> tuple[str, str, str]:
    (status,) = [status for status in decided.statuses if status.object.name == name]
    return status.conditions[0].status, status.conditions[0].reason, status.conditions[0].message


def about(decided: Plan, name: str) -> list[Problem]:
    return [problem for problem in decided.problems if problem.object.name == name]


COVERED = (
    ("claude-*", "claude-opus-4-5"),
    ("claude-*", "claude-opus-*"),
    ("claude-*", "claude-*-4-5"),
    ("*opus*", "claude-opus-4-5"),
    ("c*o*5", "claude-*opus-4-*5"),
    ("*", "gpt-5"),
    ("claude-*", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
    ("claude-*", "claude-opus-4-5@20251101"),
    ("claude-*", "us.anthropic.claude-opus-*"),
    ("claude-opus-4-5", "global.anthropic.claude-opus-4-5-20251101-v1:0"),
    ("claude-opus-4-5", "claude-opus-4-5"),
    ("claude-*", "claude-**"),
)
OTHERS = (("claude-*", "*"), ("claude-*", "*opus*"), ("claude-*", "gpt-5"), ("claude-opus-4-5", "claude-*"))


@pytest.mark.parametrize(("old", "young"), COVERED)
def test_an_older_name_of_another_namespace_covers_more_literal_ones(old: str, young: str) -> None:
    decided = plan(
        keyless("platform", old, namespace="platform", created=OLD),
        keyless("steal", young, "mine", namespace="attacker", created=YOUNG),
        keyless("gone", young, namespace="attacker", created=YOUNG),
    )
    assert held(decided) == {"platform/platform": (old,), "attacker/steal": ("mine",)} if old != "*" else True
    (problem,) = about(decided, "gone")
    assert (problem.field, problem.reason, problem.severity) == (
        "spec.models[0]",
        Reason.MODEL_TAKEN,
        Severity.ERROR,
    )
    status, reason, message = accepted(decided, "gone")
    assert (status, reason) == ("False", Reason.MODEL_TAKEN)
    assert f"`{young}`" in message
    assert "ModelRoute platform/platform" in message
    status, reason, message = accepted(decided, "platform")
    assert (status, reason) == ("True", Reason.ACCEPTED)
    assert f"`{young}` (ModelRoute attacker/gone)".replace("**", "*") in message
    assert "allowedRoutes" in message


@pytest.mark.parametrize(("old", "young"), OTHERS)
def test_what_an_older_name_does_not_cover_is_free(old: str, young: str) -> None:
    decided = plan(
        keyless("platform", old, namespace="platform", created=OLD),
        keyless("other", young, namespace="other", created=YOUNG),
    )
    assert held(decided) == {"platform/platform": (old,), "other/other": (young,)}
    assert decided.problems == ()


@pytest.mark.parametrize(("old", "young"), [pair for pair in COVERED if pair[0] != pair[1].replace("**", "*")])
def test_within_a_namespace_and_for_an_older_route_the_more_literal_name_is_free(old: str, young: str) -> None:
    together = plan(keyless("a", old, created=OLD), keyless("b", young, created=YOUNG))
    assert held(together) == {"default/a": (old,), "default/b": (young,)}
    apart = plan(
        keyless("a", old, namespace="platform", created=YOUNG), keyless("b", young, namespace="other", created=OLD)
    )
    assert held(apart) == {"platform/a": (old,), "other/b": (young,)}
    assert (*together.problems, *apart.problems) == ()


@pytest.mark.parametrize(
    ("allowed", "namespace", "free"),
    [
        (ALL, "team-a", True),
        (listing("team-a"), "team-a", True),
        (listing("team-a"), "team-b", False),
        ({"from": "Same"}, "team-a", False),
    ],
)
def test_the_owner_of_a_name_may_admit_other_namespaces(allowed: dict[str, Any], namespace: str, free: bool) -> None:
    decided = plan(
        keyless("platform", "claude-*", namespace="platform", created=OLD, allowedRoutes=allowed),
        keyless("opus", "claude-opus-*", namespace=namespace, created=YOUNG),
    )
    assert (f"{namespace}/opus" in held(decided)) is free
    assert (decided.problems == ()) is free
    assert entry(decided, "platform/platform").routes_from == (
        ("*",) if allowed == ALL else tuple(allowed.get("namespaces", ()))
    )


def test_whom_one_owner_admits_another_may_refuse() -> None:
    decided = plan(
        keyless("first", "*", namespace="a", created="2024-01-01T00:00:00Z", allowedRoutes=ALL),
        keyless("second", "claude-*", namespace="b", created=OLD),
        keyless("third", "claude-opus", namespace="c", created=YOUNG),
    )
    assert held(decided) == {"a/first": ("*",), "b/second": ("claude-*",)}
    assert "ModelRoute b/second" in accepted(decided, "third")[2]


def test_a_refused_claim_refuses_nobody() -> None:
    decided = plan(
        keyless("first", "claude-*", namespace="a", created="2024-01-01T00:00:00Z", allowedRoutes=listing("c")),
        keyless("second", "claude-opus-*", namespace="b", created=OLD),
        keyless("third", "claude-opus-4-5", namespace="c", created=YOUNG),
    )
    assert held(decided) == {"a/first": ("claude-*",), "c/third": ("claude-opus-4-5",)}


def test_a_claim_that_an_older_one_keeps_from_a_name_keeps_nobody_from_it() -> None:
    decided = plan(
        keyless("first", "a*", namespace="a", created="2024-01-01T00:00:00Z", allowedRoutes=listing("c")),
        keyless("second", "*b", namespace="b", created=OLD),
        keyless("third", "ab", namespace="c", created=YOUNG),
    )
    assert held(decided) == {"a/first": ("a*",), "b/second": ("*b",), "c/third": ("ab",)}


def test_the_message_about_claims_of_others_is_bounded() -> None:
    names = [f"claude-{number}" for number in range(32)]
    strangers = [keyless(f"r{index}", *names, namespace=f"team-{index}", created=YOUNG) for index in range(20)]
    decided = plan(keyless("platform", "claude-*", created=OLD), *strangers)
    (problem,) = about(decided, "platform")
    assert (problem.reason, problem.severity) == (Reason.MODEL_CONTESTED, Severity.WARNING)
    assert "and 637 more" in problem.message
    assert len(problem.message) < 1000


def test_an_alias_gives_way_to_older_names_of_other_namespaces_and_to_no_younger_one() -> None:
    opus = keyless("opus", "opus-4-5", namespace="team", created=YOUNG)
    assert entry(plan(opus), "team/opus").alias == "claude-opus-4-5"
    older = plan(keyless("all", "claude-*", namespace="platform", created=OLD), opus)
    assert entry(older, "team/opus").alias is None
    younger = plan(opus, keyless("all", "claude-*", namespace="other", created="2026-02-01T00:00:00Z"))
    assert entry(younger, "team/opus").alias == "claude-opus-4-5"
    exact = plan(opus, keyless("one", "claude-opus-4-5", namespace="other", created="2026-02-01T00:00:00Z"))
    assert held(exact) == {"team/opus": ("opus-4-5",)}
    same = plan(opus, keyless("one", "claude-opus-4-5", namespace="team", created="2026-02-01T00:00:00Z"))
    assert entry(same, "team/opus").alias is None


def test_an_unreadable_route_gives_its_names_to_no_younger_wildcard_of_another_namespace() -> None:
    decided = plan(
        keyless("broken", "claude-x*", namespace="a", created=OLD, nonsense=1),
        keyless("wild", "claude-*", namespace="b", created=YOUNG),
    )
    assert held(decided) == {"a/broken": ("claude-x*",), "b/wild": ("claude-*",)}
    assert [each.name for each in decided.policy.routes] == ["a/broken", "b/wild"]


def test_routes_are_rendered_from_the_oldest_to_the_youngest() -> None:
    decided = plan(
        keyless("a", "a", namespace="a", created=YOUNG),
        keyless("z", "z", namespace="z", created=OLD),
        keyless("b", "b", namespace="b", created=YOUNG),
    )
    assert [each.name for each in decided.policy.routes] == ["z/z", "a/a", "b/b"]


@pytest.mark.parametrize(
    ("allowed", "rendered"),
    [(None, ()), ({"from": "Same"}, ()), (ALL, ("*",)), (listing("team-b", "team-a"), ("team-b", "team-a"))],
)
def test_who_may_use_a_route_is_rendered(allowed: dict[str, Any] | None, rendered: tuple[str, ...]) -> None:
    written = keyless("r", "m")
    written["spec"] |= {"allowedClients": allowed} if allowed else {}
    decided = plan(written)
    assert decided.policy.namespace == "default"
    assert entry(decided, "default/r").clients_from == rendered


@pytest.mark.parametrize(
    ("namespace", "allowed", "judge", "found"),
    [
        ("team", {"from": "Same"}, "judge-1", False),
        ("team", listing("other"), "judge-1", False),
        ("team", listing("team"), "judge-1", True),
        ("team", ALL, "judge-*", True),
        ("team", {"from": "Same"}, "judge-*", False),
        ("platform", {"from": "Same"}, "judge-1", True),
        ("default", {"from": "Same"}, "judge-1", True),
    ],
)
def test_a_judge_is_one_that_the_routes_own_namespace_may_use(
    namespace: str, allowed: dict[str, Any], judge: str, found: bool
) -> None:
    decided = plan(
        keyless("judging", judge, namespace="platform", allowedClients=allowed),
        keyless("smart", "smart", namespace=namespace, safeguardsModel="judge-1"),
    )
    reasons = [(problem.field, problem.reason) for problem in about(decided, "smart")]
    assert reasons == ([] if found else [("spec.safeguardsModel", Reason.MODEL_NOT_FOUND)])


def test_a_client_in_files_is_in_the_namespace_that_it_names() -> None:
    decided = plan(
        secret(),
        secret("mine", {"client": f"{CLIENT_KEY}-2"}, namespace="team"),
        client(),
        client("b", secret="mine", namespace="team"),
    )
    assert [each.name for each in decided.policy.clients] == ["default/alice", "team/b"]


def test_a_flood_of_patterns_is_compared_up_to_a_limit_and_makes_no_message_wrong() -> None:
    flood = [
        keyless(
            f"flood{index}", *(f"*x{index}-{number}" for number in range(32)), namespace="flood", allowedClients=ALL
        )
        for index in range(10)
    ]
    judged = keyless("smart", "smart", namespace="team", created=OLD, safeguardsModel="judge-1")
    judging = keyless("judging", "judge-*", namespace="team", created=YOUNG)
    assert plan(*flood, judged, judging).problems == ()
    assert COMPARED < 10 * 32
