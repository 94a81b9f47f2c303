"""``spec.suspend``: what it takes out of service, what it leaves as it is, and how the status says so."""

from typing import Any

import pytest
from tests.support.builders.fleets import answer, conditions, look, pod, revision_of, serving
from tests.support.builders.objects import (
    NOW,
    Manifest,
    client,
    credential,
    plan,
    route,
    secret,
    setup_token,
    sound,
    subscription,
    target,
    world,
)

from claude_gateway.contract.bundle import unpack
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.problem import Severity

OTHER = credential("other", key="other")
KEYS = secret(values={"api": "sk-one-0123456789", "other": "sk-two-0123456789", "client": "cgw_key-of-alice-01234"})


def suspended(manifest: Manifest) -> Manifest:
    return {**manifest, "spec": {**manifest["spec"], "suspend": True}}


def reasons(decided: Plan) -> list[tuple[str, str, Severity]]:
    return [(problem.object.name, problem.reason, problem.severity) for problem in decided.problems]


def test_a_suspended_route_keeps_its_names_and_its_rules_of_who_may_use_it() -> None:
    match = {"name": "r", "match": {"thinking": "Enabled"}, "targets": [target()]}
    mirror = {"target": target(), "percent": 5}
    more: dict[str, Any] = {
        "displayName": "Sonnet",
        "rules": [match],
        "mirror": mirror,
        "allowedClients": {"from": "All"},
    }
    on = plan(secret(), credential(), client(), route(**more)).policy.routes[0]
    off = plan(secret(), credential(), client(), suspended(route(**more))).policy.routes[0]
    assert off == on.model_copy(update={"targets": (), "rules": (), "mirror": None, "suspended": True})
    assert off.models == ("claude-sonnet-5-5",)


def test_a_suspended_route_still_keeps_its_names_from_wider_and_younger_routes() -> None:
    older = suspended(route("mine", models=["claude-*", "gpt-5"], created="2026-01-01T00:00:00Z"))
    younger = route("theirs", models=["gpt-5", "gpt-*"], created="2026-02-01T00:00:00Z")
    decided = plan(secret(), credential(), older, younger)
    models = {each.name: each.models for each in decided.policy.routes}
    assert models == {"default/mine": ("claude-*", "gpt-5"), "default/theirs": ("gpt-*",)}


def test_a_suspended_client_keeps_its_keys_from_younger_clients() -> None:
    first = suspended(client("alice", created="2026-01-01T00:00:00Z"))
    second = client("bob", created="2026-02-01T00:00:00Z")
    decided = plan(*sound()[:2], route(), first, second)
    assert [(each.name, each.suspended) for each in decided.policy.clients] == [("default/alice", True)]
    assert ("bob", Reason.KEY_TAKEN, Severity.ERROR) in reasons(decided)


def test_a_suspended_credential_takes_its_targets_and_its_key_out_of_the_bundle() -> None:
    targets = [target(), target(credential="other")]
    everything = [KEYS, credential(), OTHER, client(), route(targets=targets)]
    before = plan(*everything)
    after = plan(KEYS, suspended(credential()), OTHER, client(), route(targets=targets))
    (left,) = after.policy.routes[0].targets
    assert left == before.policy.routes[0].targets[1], "the other target is the same, with the same health"
    held = b"".join(unpack(after.packed).secrets.values())
    assert b"sk-one" not in held
    assert b"sk-two" in held
    assert ("sonnet", Reason.CREDENTIAL_SUSPENDED, Severity.WARNING) in reasons(after)
    assert not [problem for problem in after.problems if problem.severity is Severity.ERROR]


def test_a_route_whose_only_credential_is_suspended_has_an_error() -> None:
    decided = plan(secret(), suspended(credential()), client(), route())
    assert decided.policy.routes[0].targets == ()
    (found,) = [problem for problem in decided.problems if problem.object.kind == Kind.MODEL_ROUTE]
    assert (found.field, found.reason, found.severity) == (
        "spec.targets[0].credential",
        Reason.CREDENTIAL_SUSPENDED,
        Severity.ERROR,
    )
    assert "ClaudeCredential default/anthropic is suspended" in str(found)
    assert "Remove `spec.suspend`" in str(found)


def test_a_rule_without_another_target_has_an_error_and_a_mirror_has_a_warning() -> None:
    rule = {"name": "thinker", "match": {"thinking": "Enabled"}, "targets": [target(credential="other")]}
    mirror = {"target": target(credential="other"), "percent": 5}
    decided = plan(KEYS, credential(), suspended(OTHER), client(), route(rules=[rule], mirror=mirror))
    found = {problem.field: problem.severity for problem in decided.problems if problem.object.name == "sonnet"}
    assert found == {
        "spec.rules[0].targets[0].credential": Severity.ERROR,
        "spec.mirror.target.credential": Severity.WARNING,
    }
    assert decided.policy.routes[0].mirror is None


def test_a_suspended_credential_with_mistakes_says_both() -> None:
    decided = plan(suspended(credential()), client(), route())
    assert {reason for name, reason, _ in reasons(decided) if name == "anthropic"} == {
        Reason.SUSPENDED,
        Reason.SECRET_NOT_FOUND,
    }


def test_a_suspended_subscription_serves_neither_the_gateway_nor_its_caller() -> None:
    caller = {"name": "notebook", "secretName": "notebook"}
    manifests = [setup_token(), secret("notebook", {"key": "k" * 40}), suspended(subscription(caller=caller))]
    decided = plan(*manifests)
    assert decided.callers.logins == {}


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.MODEL_ROUTE, "sonnet"), (Kind.CLAUDE_CREDENTIAL, "anthropic"), (Kind.GATEWAY_CLIENT, "alice")],
)
def test_the_status_says_that_it_is_suspended_and_when_every_pod_knows(kind: Kind, name: str) -> None:
    manifests = [suspended(each) if each["kind"] == kind else each for each in sound()]
    on, off = decide(world(*sound()), NOW), decide(world(*manifests), NOW)
    late = look(world(*manifests), pod(serving(revision_of(on))), before=[on])
    assert answer(late, name, kind) == ("False", Reason.PENDING)
    live = look(world(*manifests), pod(serving(revision_of(off))), before=[on, off])
    found = conditions(live, name, kind)
    assert (found[ConditionType.SUSPENDED].status, found[ConditionType.SUSPENDED].reason) == ("True", Reason.SUSPENDED)
    assert answer(live, name, kind)[0] == "True"
    ready = found[ConditionType.READY]
    assert (ready.status, ready.reason) == ("False", Reason.SUSPENDED)
    assert ready.message.startswith("spec.suspend: the object is suspended: ")
    assert ConditionType.WARNINGS not in found
    assert found[ConditionType.ACCEPTED].status == "True"
    assert [(event.type, event.reason) for event in live.events if event.object.name == name][-1] == (
        "Normal",
        Reason.SUSPENDED,
    )


def test_an_object_that_is_not_suspended_says_nothing_of_it() -> None:
    manifests = [{**each, "spec": {**each["spec"], "suspend": False}} for each in sound()[1:]]
    decided = plan(secret(), *manifests)
    assert decided.policy == plan(*sound()).policy
    assert decided.problems == ()
