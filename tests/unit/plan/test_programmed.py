"""Programmed and Ready: only what pods report, and only about the object itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.examples import examples
from tests.support.builders.objects import NOW, client, credential, route, secret, sound, target, world
from tests.unit.plan.test_properties import WORLDS

from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.programmed import Fleet, PodState, summarize
from claude_gateway.plan.slices import slices_of
from claude_gateway.plan.stored_status import Condition
from claude_gateway.plan.world import Settings, World, read
from claude_gateway_operator.status_writer import document


def serving(revision: str | None, litellm: str | None = None, **report: Any) -> PodReport:
    """A pod that serves one revision, or whose LiteLLM worker serves another."""
    other = litellm or revision
    return PodReport(
        wanted=report.pop("wanted", revision),
        live=revision if other == revision else None,
        gateway=ProcessReport(revision=revision, **report.pop("gateway", {})),
        litellm=ProcessReport(revision=other, **report.pop("litellm_report", {})),
        **report,
    )


def pod(report: PodReport | None, name: str = "p0", *, ready: bool = True) -> PodState:
    return PodState(name=name, ready=ready, report=report)


def revision_of(decided: Plan) -> str:
    assert decided.bundle is not None
    return decided.bundle.meta.revision


def known(*plans: Plan) -> dict[str, Mapping[str, str]]:
    """The slices of revisions, computed of their bundles as after a restart."""
    found = {}
    for decided in plans:
        assert decided.bundle is not None
        parts = slices_of(decided.bundle)
        assert parts is not None
        found[revision_of(decided)] = parts
    return found


def look(of: World, *pods: PodState, before: Sequence[Plan] = ()) -> Plan:
    """Decide on a World with pods, knowing what earlier plans wrote."""
    return decide(replace(of, pods=pods, slices=known(*before)), NOW)


def conditions(decided: Plan, name: str, kind: Kind = Kind.MODEL_ROUTE) -> dict[str, Condition]:
    (status,) = [s for s in decided.statuses if (s.object.kind, s.object.name) == (kind, name)]
    return {c.type: c for c in status.conditions}


def answer(decided: Plan, name: str = "sonnet", kind: Kind = Kind.MODEL_ROUTE) -> tuple[str, str]:
    condition = conditions(decided, name, kind)[ConditionType.PROGRAMMED]
    return condition.status, condition.reason


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


def test_a_refusal_is_told_with_pod_process_and_reason() -> None:
    old = decide(world(*sound()), NOW)
    edited = [secret(), credential(), client(), route(targets=[target(weight=3)])]
    new = revision_of(decide(world(*edited), NOW))
    refused = {"refused": new, "error": "litellm.yaml cannot be read"}
    reports = {
        "agent: out of disk": serving(revision_of(old), wanted=new, error="out of disk"),
        "gateway: litellm.yaml cannot be read": serving(revision_of(old), gateway=refused),
        "litellm: no reason given": serving(revision_of(old), litellm_report={"refused": new}),
    }
    for told, report in reports.items():
        decided = look(world(*edited), pod(report, "p3"), before=[old])
        condition = conditions(decided, "sonnet")[ConditionType.PROGRAMMED]
        assert (condition.status, condition.reason) == ("False", Reason.REFUSED)
        assert condition.message == f"Pod p3 could not load the new configuration: {told}"
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


def answers(decided: Plan) -> dict[ObjectRef, str]:
    return {
        status.object: condition.status
        for status in decided.statuses
        for condition in status.conditions
        if condition.type == ConditionType.PROGRAMMED
    }


LENIENT = Settings(strict=False)


@examples(200)
@given(WORLDS, WORLDS)
def test_what_does_not_change_stays_programmed_while_others_are_edited(manifests: list[Any], edited: list[Any]) -> None:
    old_world, new_world = read(manifests, LENIENT), read(edited, LENIENT)
    old = decide(old_world, NOW)
    pods = [pod(serving(revision_of(old)))]
    before = look(old_world, *pods)
    after = look(new_world, *pods, before=[old])
    done = look(new_world, pod(serving(revision_of(after))), before=[old])
    for ref, status in answers(before).items():
        same = _specs(manifests).get(ref) == _specs(edited).get(ref) and _secrets(manifests) == _secrets(edited)
        if same and status == "True" and answers(done).get(ref) == "True" and _alone(ref, old, after):
            assert answers(after)[ref] == "True"


def _specs(manifests: list[Any]) -> dict[ObjectRef, Any]:
    return {
        ObjectRef(m["kind"], m["metadata"]["namespace"], m["metadata"]["name"]): (m.get("spec"), m["metadata"])
        for m in manifests
    }


def _secrets(manifests: list[Any]) -> list[Any]:
    return sorted((m for m in manifests if m["kind"] == Kind.SECRET), key=repr)


def _alone(ref: ObjectRef, old: Plan, new: Plan) -> bool:
    """Whether nothing that others did changed what the object comes to: names won, credentials, key holders."""
    if ref.kind == Kind.CLAUDE_CREDENTIAL:
        return _of_namespace(ref, old) == _of_namespace(ref, new)
    name = f"{ref.namespace}/{ref.name}"
    assert old.bundle is not None
    assert new.bundle is not None
    if ref.kind == Kind.GATEWAY_CLIENT:
        clients = [[c for c in p.policy.clients if c.name == name] for p in (old, new)]
        return clients[0] == clients[1] and old.policy.client_keys == new.policy.client_keys
    routes = [[r for r in p.policy.routes if r.name == name] for p in (old, new)]
    return routes[0] == routes[1]


def _of_namespace(ref: ObjectRef, decided: Plan) -> list[Any]:
    return [r for r in decided.policy.routes if r.name.startswith(f"{ref.namespace}/")]


REPORTS = st.sampled_from(["old", "new", "mixed", "silent", "half"])


@examples(200)
@given(WORLDS, WORLDS, st.lists(st.tuples(st.booleans(), REPORTS), max_size=4))
def test_it_is_never_true_unless_every_ready_pod_serves_just_that(
    manifests: list[Any], edited: list[Any], drawn: list[tuple[bool, str]]
) -> None:
    old, new = decide(read(manifests, LENIENT), NOW), decide(read(edited, LENIENT), NOW)
    first, second = revision_of(old), revision_of(new)
    reports = {
        "old": serving(first),
        "new": serving(second),
        "mixed": serving(first, second),
        "silent": None,
        "half": PodReport(gateway=ProcessReport(revision=second)),
    }
    pods = [pod(reports[kind], f"p{i}", ready=ready) for i, (ready, kind) in enumerate(drawn)]
    decided = look(read(edited, LENIENT), *pods, before=[old, new])
    ready = [kind for is_ready, kind in drawn if is_ready]
    held = known(old, new)
    for ref, status in answers(decided).items():
        if status != "True":
            continue
        assert ready
        assert not {"silent", "half"} & set(ready)
        if ref.kind != Kind.CLAUDE_CREDENTIAL:
            prefix = "route" if ref.kind == Kind.MODEL_ROUTE else "client"
            mine = f"{prefix}:{ref.namespace}/{ref.name}"
            revisions = {first} if set(ready) == {"old"} else {second} if set(ready) == {"new"} else {first, second}
            assert {held[revision].get(mine) for revision in revisions} == {held[second][mine]}
    for status_of in decided.statuses:
        kinds = {c.type: c.status for c in status_of.conditions}
        # A credential that no request used yet is ready to be used.
        beside = (ConditionType.READY, ConditionType.VALID)
        others = [kinds[kind] == "True" for kind in kinds if kind not in beside]
        assert (kinds[ConditionType.READY] == "True") == all(others)


RELEASED = Settings(release="cg", namespace="gateway")


def written(decided: Plan, *manifests: dict[str, Any]) -> list[dict[str, Any]]:
    """The manifests with the statuses that a plan writes."""
    statuses = {(w.object.kind, w.object.name): document(w)["status"] for w in decided.changed}
    found = [(m, statuses.get((m["kind"], m["metadata"]["name"]))) for m in manifests]
    return [m if status is None else {**m, "status": status} for m, status in found]


def live(*manifests: dict[str, Any]) -> tuple[Plan, list[dict[str, Any]]]:
    """A plan that one pod serves, and the manifests with what was written of it."""
    first = decide(read(manifests, RELEASED), NOW)
    plan = look(read(manifests, RELEASED), pod(serving(revision_of(first))), before=[first])
    return plan, written(plan, *manifests)


def test_a_silent_pod_costs_no_write_of_what_nobody_edits() -> None:
    plan, manifests = live(*sound())
    heard = pod(serving(revision_of(plan)))
    for pods in ([heard, pod(None, "new")], [pod(None)], [pod(PodReport())], [heard, pod(PodReport(), "new")]):
        again = look(read(manifests, RELEASED), *pods, before=[plan])
        assert again.changed == ()
        assert answer(again) == ("True", Reason.PROGRAMMED)
        assert again.fleet.silent


def test_a_silent_pod_is_named_by_what_is_edited_while_it_is_silent() -> None:
    plan, manifests = live(*sound())
    edited = [route(targets=[target(weight=3)]) if m["kind"] == Kind.MODEL_ROUTE else m for m in manifests]
    edited = [{**m, "status": o["status"]} if "status" in o else m for m, o in zip(edited, manifests, strict=True)]
    changed = look(read(edited, RELEASED), pod(None, "cg-proxy-7"), before=[plan])
    assert [write.object.name for write in changed.changed] == ["sonnet"]
    message = conditions(changed, "sonnet")[ConditionType.PROGRAMMED].message
    assert message.endswith("pod cg-proxy-7 is ready but does not report what it serves.")
    assert conditions(changed, "sonnet")[ConditionType.READY].message == message
    later = look(read(written(changed, *edited), RELEASED), pod(None, "cg-proxy-7"), before=[plan, changed])
    assert answer(later) == ("False", Reason.PENDING)


def test_what_was_true_of_another_generation_or_before_anybody_knows_is_not_believed() -> None:
    plan, manifests = live(*sound())
    assert answer(look(read(manifests, RELEASED), pod(None))) == ("False", Reason.PENDING)
    manifests[-1]["metadata"] = {**manifests[-1]["metadata"], "generation": 2}
    names = [m["metadata"]["name"] for m in manifests]
    decided = look(read(manifests, RELEASED), pod(None), before=[plan])
    assert answer(decided, names[-1], Kind(manifests[-1]["kind"])) == ("False", Reason.PENDING)


def test_pending_names_a_pod_and_stays_with_it() -> None:
    plan, manifests = live(*sound())
    old = revision_of(plan)
    edited = [m for m in manifests if m["kind"] != Kind.MODEL_ROUTE] + [route(targets=[target(weight=3)])]
    fleet = [pod(serving(old), "p1"), pod(serving(old), "p2")]
    first = look(read(edited, RELEASED), *fleet, before=[plan])
    message = conditions(first, "sonnet")[ConditionType.PROGRAMMED].message
    assert message == f"Not live on every ready proxy pod yet: pod p1 still serves revision {old}."
    stored = written(first, *edited)
    joined = look(read(stored, RELEASED), *fleet, pod(serving(old), "p0"), before=[plan, first])
    assert conditions(joined, "sonnet")[ConditionType.PROGRAMMED].message == message
    done = [pod(serving(revision_of(first)), "p1"), pod(serving(old), "p2")]
    moved = look(read(stored, RELEASED), *done, before=[plan, first])
    assert "pod p2 still serves" in conditions(moved, "sonnet")[ConditionType.PROGRAMMED].message
