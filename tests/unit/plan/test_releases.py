"""Where several releases watch one namespace, and where Secrets may not be read."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.builders.objects import NOW, client, credential, manifest, plan, route, secret, world

from claude_gateway.names import Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Settings, World

MINE: dict[str, Any] = {"gatewayRef": {"name": "mine"}}
OTHER: dict[str, Any] = {"gatewayRef": {"name": "other"}}


def of(release: str | None, *manifests: Any) -> World:
    return read(manifests, Settings(strict=False, release=release))


def ref(kind: Kind, name: str) -> ObjectRef:
    return ObjectRef(kind, "default", name)


def reasons(decided: Plan, name: str) -> set[str]:
    return {problem.reason for problem in decided.problems if problem.object.name == name}


def test_an_object_is_for_the_release_that_it_names_or_for_all() -> None:
    manifests = [route("a", **MINE), route("b", **OTHER), route("c"), client("d", **OTHER)]
    names = {release: [i.ref.name for i in of(release, *manifests).routes] for release in ("mine", "other", None)}
    assert names == {"mine": ["a", "c"], "other": ["b", "c"], None: ["a", "b", "c"]}
    assert set(of("mine", *manifests).foreign) == {ref(Kind.MODEL_ROUTE, "b"), ref(Kind.GATEWAY_CLIENT, "d")}


def test_a_foreign_object_claims_nothing_and_is_told_nothing() -> None:
    older = route("b", created="2020-01-01T00:00:00Z", **OTHER)
    broken = route("c", nonsense=1, targets=[], **OTHER)
    decided = decide(of("mine", secret(), credential(), route("a"), older, broken), NOW)
    assert [r.name for r in decided.policy.routes] == ["default/a"]
    assert {status.object.name for status in decided.statuses} == {"anthropic", "a"}
    assert decided.problems == ()


def test_a_foreign_credential_is_not_spent_and_the_route_is_told_so() -> None:
    spec = {"apiKey": credential()["spec"]["apiKey"], **OTHER}
    theirs = manifest(Kind.CLAUDE_CREDENTIAL, "anthropic", spec)
    decided = decide(of("mine", secret(), theirs, route()), NOW)
    (problem,) = decided.problems
    assert (problem.reason, problem.field) == (Reason.CREDENTIAL_NOT_FOUND, "spec.targets[0].credential")
    assert "belongs to another release" in problem.message
    assert decided.policy.routes[0].targets == ()


@pytest.mark.parametrize("reference", [None, {}, {"name": ""}, {"name": 5}, "other", ["other"]])
def test_a_reference_that_names_nobody_is_everybodys(reference: object) -> None:
    assert of("mine", route(gatewayRef=reference)).foreign == {}


def test_a_spec_that_is_none_is_everybodys() -> None:
    assert of("mine", manifest(Kind.MODEL_ROUTE, "x", None)).foreign == {}


def test_files_take_what_is_for_any_release() -> None:
    assert plan(secret(), credential(), route(**OTHER)).problems == ()


def test_secrets_that_may_not_be_read_are_said_to_be_so() -> None:
    blind = replace(world(credential(), client()), unreadable=frozenset(("default",)))
    decided = decide(blind, NOW)
    assert reasons(decided, "anthropic") == reasons(decided, "alice") == {Reason.SECRET_FORBIDDEN}
    for status in decided.statuses:
        resolved = next(c for c in status.conditions if c.type == "ResolvedRefs")
        assert (resolved.status, resolved.reason) == ("False", Reason.SECRET_FORBIDDEN)
        accepted = next(c for c in status.conditions if c.type == "Accepted")
        assert accepted.status == "True"


def test_another_namespace_that_may_not_be_read_concerns_nobody() -> None:
    blind = replace(world(secret(), credential(), route()), unreadable=frozenset(("elsewhere",)))
    assert decide(blind, NOW).problems == ()
    absent = replace(world(credential()), unreadable=frozenset(("elsewhere",)))
    assert reasons(decide(absent, NOW), "anthropic") == {Reason.SECRET_NOT_FOUND}
