"""Programmed and Ready of a fleet: only what its pods report, and only about the object itself."""

from hashlib import sha256

from tests.support.builders.fleets import answer, conditions, look, pod, revision_of, serving
from tests.support.builders.objects import NOW, client, credential, route, secret, sound, target, world

from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.decide import decide
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status.programmed import Fleet, summarize

ALL = (("sonnet", Kind.MODEL_ROUTE), ("anthropic", Kind.CLAUDE_CREDENTIAL), ("alice", Kind.GATEWAY_CLIENT))


def test_nobody_who_knows_no_pods_says_anything_of_them() -> None:
    decided = decide(world(*sound()), NOW)
    kinds = {c.type for status in decided.statuses for c in status.conditions}
    assert kinds == {ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS}
    assert (decided.slices, decided.fleet) == ({}, Fleet())


def test_every_ready_pod_serves_it() -> None:
    first = decide(world(*sound()), NOW)
    live = look(world(*sound()), pod(serving(revision_of(first))), pod(serving(revision_of(first)), "p1"))
    for name, kind in ALL:
        assert answer(live, name, kind) == ("True", Reason.PROGRAMMED)
        assert conditions(live, name, kind)[ConditionType.READY].status == "True"
        assert conditions(live, name, kind)[ConditionType.READY].reason == Reason.READY
    assert live.fleet.settled == revision_of(first)


def test_no_ready_pod_is_no_program() -> None:
    first = decide(world(*sound()), NOW)
    for pods in ((), (pod(serving(revision_of(first)), ready=False),)):
        decided = look(world(*sound()), *pods)
        for name, kind in ALL:
            assert answer(decided, name, kind) == ("False", Reason.NO_READY_PODS)
            ready = conditions(decided, name, kind)[ConditionType.READY]
            assert (ready.status, ready.reason) == ("False", Reason.NO_READY_PODS)
        assert decided.fleet.settled is None


def test_a_pod_that_cannot_start_says_why() -> None:
    first = decide(world(*sound()), NOW)
    revision = revision_of(first)
    broken = PodReport(wanted=revision, error="gateway.json is missing")
    decided = look(world(*sound()), pod(broken, "p7", ready=False))
    message = conditions(decided, "sonnet")[ConditionType.PROGRAMMED].message
    assert answer(decided) == ("False", Reason.NO_READY_PODS)
    assert (
        message == "No proxy pod is ready. Pod p7 could not load the new configuration: agent: gateway.json is missing"
    )


def test_one_of_two_pods_is_not_enough() -> None:
    old = decide(world(*sound()), NOW)
    edited = [secret(), credential(), client(), route(targets=[target(weight=3)])]
    new = decide(world(*edited), NOW)
    decided = look(world(*edited), pod(serving(revision_of(new))), pod(serving(revision_of(old)), "p1"), before=[old])
    assert answer(decided) == ("False", Reason.PENDING)
    assert answer(decided, "alice", Kind.GATEWAY_CLIENT) == ("True", Reason.PROGRAMMED)
    assert decided.fleet.settled is None


def test_gateway_and_worker_must_both_serve_it() -> None:
    old = decide(world(*sound()), NOW)
    edited = [secret(), credential(), client(), route(targets=[target(weight=3)])]
    new = decide(world(*edited), NOW)
    for report in (serving(revision_of(new), revision_of(old)), serving(revision_of(old), revision_of(new))):
        decided = look(world(*edited), pod(report), before=[old])
        assert answer(decided) == ("False", Reason.PENDING)
        assert answer(decided, "alice", Kind.GATEWAY_CLIENT) == ("True", Reason.PROGRAMMED)


def test_a_ready_pod_that_does_not_tell_counts_as_not_serving() -> None:
    revision = revision_of(decide(world(*sound()), NOW))
    for report in (
        None,
        PodReport(),
        PodReport(gateway=ProcessReport(revision=revision)),
        PodReport(gateway=ProcessReport(revision=revision), litellm=ProcessReport()),
    ):
        decided = look(world(*sound()), pod(serving(revision)), pod(report, "p1"))
        assert answer(decided) == ("False", Reason.PENDING)
        assert decided.fleet.settled is None


def test_a_revision_that_nobody_knows_counts_as_not_serving() -> None:
    assert answer(look(world(*sound()), pod(serving("0" * 16)))) == ("False", Reason.PENDING)


def test_a_refusal_is_reported_with_pod_process_and_reason() -> None:
    old = decide(world(*sound()), NOW)
    edited = [secret(), credential(), client(), route(targets=[target(weight=3)])]
    new = revision_of(decide(world(*edited), NOW))
    refused = {"refused": new, "error": "litellm.yaml cannot be read"}
    reports = {
        "agent: out of disk": serving(revision_of(old), wanted=new, error="out of disk"),
        "gateway: litellm.yaml cannot be read": serving(revision_of(old), gateway=refused),
        "litellm: no reason given": serving(revision_of(old), litellm_report={"refused": new}),
    }
    for message, report in reports.items():
        decided = look(world(*edited), pod(report, "p3"), before=[old])
        condition = conditions(decided, "sonnet")[ConditionType.PROGRAMMED]
        assert (condition.status, condition.reason) == ("False", Reason.REFUSED)
        assert condition.message == f"Pod p3 could not load the new configuration: {message}"
        assert answer(decided, "alice", Kind.GATEWAY_CLIENT) == ("True", Reason.PROGRAMMED)
        assert ("Warning", Reason.REFUSED) in [(e.type, e.reason) for e in decided.events]


def test_trouble_with_another_revision_is_no_refusal_of_this_one() -> None:
    old = decide(world(*sound()), NOW)
    edited = [secret(), credential(), client(), route(targets=[target(weight=3)])]
    for report in (
        serving(revision_of(old), wanted="other", error="out of disk"),
        serving(revision_of(old), gateway={"refused": "other", "error": "no"}),
    ):
        assert answer(look(world(*edited), pod(report), before=[old])) == ("False", Reason.PENDING)


def test_a_rotated_key_is_pending_for_all_who_hold_it_and_nobody_else() -> None:
    other = [credential("other", key="client"), route("x", models=["x"], targets=[target(credential="other")])]
    old = decide(world(*sound(), *other), NOW)
    rotated = [secret(values={"api": "sk-test-rotated-0123456789", "client": "cgw_test-key-of-alice-0123456789"})]
    after = look(world(*rotated, *sound()[1:], *other), pod(serving(revision_of(old))), before=[old])
    assert answer(after) == ("False", Reason.PENDING)
    assert answer(after, "anthropic", Kind.CLAUDE_CREDENTIAL) == ("False", Reason.PENDING)
    assert answer(after, "x") == ("True", Reason.PROGRAMMED)
    assert answer(after, "other", Kind.CLAUDE_CREDENTIAL) == ("True", Reason.PROGRAMMED)
    assert answer(after, "alice", Kind.GATEWAY_CLIENT) == ("True", Reason.PROGRAMMED)


def test_a_new_key_of_a_client_is_pending() -> None:
    old = decide(world(*sound()), NOW)
    values = {"api": "sk-test-upstream-key-0123456789", "client": "cgw_test-another-key-0123456789"}
    after = look(world(secret(values=values), *sound()[1:]), pod(serving(revision_of(old))), before=[old])
    assert answer(after, "alice", Kind.GATEWAY_CLIENT) == ("False", Reason.PENDING)
    assert answer(after) == ("True", Reason.PROGRAMMED)


def test_a_credential_that_no_route_spends_is_served_by_doing_nothing() -> None:
    manifests = [*sound(), credential("spare", key="client")]
    first = decide(world(*manifests), NOW)
    decided = look(world(*manifests), pod(serving(revision_of(first))))
    condition = conditions(decided, "spare", Kind.CLAUDE_CREDENTIAL)[ConditionType.PROGRAMMED]
    assert (condition.status, condition.message) == ("True", "No route uses it.")


def test_a_key_that_pods_still_spend_is_not_unspent() -> None:
    before = decide(world(*sound()), NOW)
    after = look(world(*sound()[:-1]), pod(serving(revision_of(before))), before=[before])
    assert answer(after, "anthropic", Kind.CLAUDE_CREDENTIAL) == ("False", Reason.PENDING)


def test_an_object_of_which_nothing_can_serve_is_not_programmed() -> None:
    manifests = [
        secret(),
        route("lonely", models=["l"], targets=[target(credential="gone")]),
        route("broken", models=["b"], nonsense=1),
        client("keyless", keys=["gone"]),
        credential("empty", key="gone"),
    ]
    first = decide(world(*manifests), NOW)
    decided = look(world(*manifests), pod(serving(revision_of(first))))
    for name, kind in (
        ("lonely", Kind.MODEL_ROUTE),
        ("broken", Kind.MODEL_ROUTE),
        ("keyless", Kind.GATEWAY_CLIENT),
        ("empty", Kind.CLAUDE_CREDENTIAL),
    ):
        assert answer(decided, name, kind) == ("False", Reason.NOTHING_TO_SERVE)
    ready = conditions(decided, "lonely")[ConditionType.READY]
    resolved = conditions(decided, "lonely")[ConditionType.RESOLVED_REFS]
    assert (ready.reason, ready.message) == (Reason.CREDENTIAL_NOT_FOUND, resolved.message)
    assert conditions(decided, "broken")[ConditionType.READY].reason == Reason.INVALID
    assert Reason.NOTHING_TO_SERVE not in [event.reason for event in decided.events]


def test_what_does_not_fit_is_told_where_it_is_missing() -> None:
    before = decide(world(*sound()), NOW)
    # Digests, because a bundle is compressed: names that resemble each other would fit.
    many = [
        route(f"r{i}", models=[sha256(f"{i}-{j}".encode()).hexdigest() for j in range(32)], namespace="team")
        for i in range(1200)
    ]
    decided = look(world(*sound(), *many), pod(serving(revision_of(before))), before=[before])
    assert answer(decided) == ("True", Reason.PROGRAMMED)
    left_out = min(problem.object.name for problem in decided.problems if problem.reason is Reason.TOO_LARGE)
    assert answer(decided, left_out) == ("False", Reason.TOO_LARGE)
    assert Reason.TOO_LARGE in [event.reason for event in decided.events]


def test_events_tell_that_it_serves_and_not_that_it_waits() -> None:
    first = decide(world(*sound()), NOW)
    waiting = look(world(*sound()), pod(None))
    assert Reason.PENDING not in [event.reason for event in waiting.events]
    live = look(world(*sound()), pod(serving(revision_of(first))))
    mine = [e for e in live.events if e.object == ObjectRef(Kind.MODEL_ROUTE, "default", "sonnet")]
    assert [(e.type, e.reason) for e in mine] == [("Normal", Reason.PROGRAMMED)]


def test_a_long_error_is_cut() -> None:
    fleet = summarize([pod(PodReport(wanted="r", error="x" * 5000))], "r")
    assert fleet.refusal is not None
    assert len(fleet.refusal) < 600
