"""Conditions and events: truthful, stable, and written once."""

from datetime import datetime, timedelta
from typing import Any

from tests.support.builders.objects import NOW, credential, route, secret, target

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.status.stored_status import Condition
from claude_gateway.plan.world import Settings, World
from claude_gateway_operator.status_writer import document

LATER = NOW + timedelta(minutes=5)


def plan(*manifests: object) -> Plan:
    return decide(world(*manifests), NOW)


def world(*manifests: object) -> World:
    """A World as this release reads it."""
    return read(manifests, Settings(release="cg", namespace="gateway"))


def with_status(manifest: dict[str, Any], decided: Plan) -> dict[str, Any]:
    """The manifest as an API server would give it back after our write."""
    key = (manifest["kind"], manifest["metadata"]["name"])
    (write,) = [w for w in decided.changed if (w.object.kind, w.object.name) == key]
    status = document(write)["status"]
    return {**manifest, "status": {**status, "other": 1}}


def only(decided: Plan, name: str = "sonnet") -> dict[str, Condition]:
    (status,) = [s for s in decided.statuses if s.object.name == name]
    return {c.type: c for c in status.conditions}


def events(decided: Plan, name: str = "sonnet") -> list[tuple[str, str]]:
    return [(e.type, e.reason) for e in decided.events if e.object.name == name]


def test_a_new_object_is_told_both_answers() -> None:
    decided = plan(secret(), credential(), route())
    assert only(decided) == {
        ConditionType.ACCEPTED: Condition(
            ConditionType.ACCEPTED, "True", 1, "2026-11-21T09:30:00Z", Reason.ACCEPTED, "The spec is valid."
        ),
        ConditionType.RESOLVED_REFS: Condition(
            ConditionType.RESOLVED_REFS,
            "True",
            1,
            "2026-11-21T09:30:00Z",
            Reason.RESOLVED,
            "Everything that the spec refers to exists and can be used.",
        ),
    }
    assert events(decided) == [], "that it is live will be one Event"


def test_nothing_new_keeps_the_time_and_tells_nothing() -> None:
    manifests = [credential(), route()]
    before = plan(secret(), *manifests)
    again = decide(world(secret(), *(with_status(m, before) for m in manifests)), LATER)
    assert again.statuses == before.statuses
    assert again.events == ()


def test_a_change_is_told_once_with_its_time() -> None:
    before = plan(secret(), credential(), route())
    broken = with_status(route(targets=[target(credential="gone")]), before)
    broken["metadata"]["generation"] = 2
    after = decide(world(secret(), credential(), broken), LATER)
    conditions = only(after)
    assert conditions[ConditionType.ACCEPTED].last_transition_time == "2026-11-21T09:30:00Z"
    assert conditions[ConditionType.RESOLVED_REFS].last_transition_time == "2026-11-21T09:35:00Z"
    assert {c.observed_generation for c in conditions.values()} == {2}
    (event,) = [e for e in after.events if e.object.name == "sonnet"]
    assert (event.type, event.reason) == ("Warning", Reason.CREDENTIAL_NOT_FOUND)
    assert "ClaudeCredential default/gone" in event.message


def test_another_reason_is_told_although_the_status_stays() -> None:
    before = plan(route(targets=[target("openai/x", credential="anthropic")]))
    written = with_status(route(targets=[target("openai/x", credential="anthropic")]), before)
    after = decide(world(secret(), credential(), written), LATER)
    condition = only(after)[ConditionType.RESOLVED_REFS]
    assert (condition.reason, condition.last_transition_time) == (Reason.CREDENTIAL_MISMATCH, "2026-11-21T09:30:00Z")
    assert events(after) == [("Warning", Reason.CREDENTIAL_MISMATCH)]


def test_an_unreadable_object_is_one_event_and_one_unknown() -> None:
    decided = plan(route(nonsense=1))
    conditions = only(decided)
    assert conditions[ConditionType.RESOLVED_REFS].status == "Unknown"
    assert events(decided) == [("Warning", Reason.INVALID)]


def test_partly_accepted_is_a_warning() -> None:
    decided = plan(route("a"), route("b", models=["claude-sonnet-5-5", "x"]))
    assert ("Warning", Reason.PARTIALLY_ACCEPTED) in events(decided, "b")


def test_a_message_names_the_first_problems_and_counts_the_others() -> None:
    decided = plan(route(targets=[target(credential=f"c{i}") for i in range(5)]))
    message = only(decided)[ConditionType.RESOLVED_REFS].message
    assert message.count(" does not exist. Create it in namespace default") == 3
    assert message.endswith("And 2 more.")


def test_a_duplicate_says_nothing_about_the_one_that_is_used() -> None:
    decided = plan(secret(), credential(), route(), route(nonsense=1))
    assert only(decided)[ConditionType.ACCEPTED].reason == Reason.ACCEPTED


def test_time_is_written_in_utc() -> None:
    local = datetime.fromisoformat("2026-11-21T10:30:00+01:00")
    decided = decide(world(route()), local)
    assert only(decided)[ConditionType.ACCEPTED].last_transition_time == "2026-11-21T09:30:00Z"


def test_a_warning_is_a_condition_of_its_own_and_one_event() -> None:
    listed = route(models=["gpt-5"], displayName="GPT")
    decided = plan(secret(), credential(), listed)
    warned = only(decided)[ConditionType.WARNINGS]
    assert (warned.status, warned.reason) == ("True", Reason.MODEL_NOT_LISTED)
    assert events(decided) == [("Warning", Reason.MODEL_NOT_LISTED)]
    again = decide(world(secret(), credential(), with_status(listed, decided)), LATER)
    assert events(again) == []
    fixed = with_status(listed, decided)
    del fixed["spec"]["displayName"]
    assert ConditionType.WARNINGS not in only(decide(world(secret(), credential(), fixed), LATER))


def test_only_what_differs_is_to_be_told() -> None:
    manifests = [credential(), route()]
    before = plan(secret(), *manifests)
    assert {status.object.name for status in before.changed} == {"anthropic", "sonnet"}
    written = [with_status(m, before) for m in manifests]
    assert decide(world(secret(), *written), LATER).changed == ()
    audited = {"type": "Audited", "status": "True", "lastTransitionTime": "2026-11-21T09:30:00Z"}
    written[1]["status"]["conditions"].append(audited)
    assert decide(world(secret(), *written), LATER).changed == ()
    written[1]["metadata"]["generation"] = 2
    (changed,) = decide(world(secret(), *written), LATER).changed
    assert changed.object.name == "sonnet"
    written[1]["metadata"]["generation"] = 1
    written[1]["status"]["conditions"] = [audited]
    (changed,) = decide(world(secret(), *written), LATER).changed
    assert changed.object.name == "sonnet"
