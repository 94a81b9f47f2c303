"""Programmed across edits: what stays true while revisions, pods and statuses change around an object."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.examples import examples
from tests.support.builders.fleets import answer, conditions, known, look, pod, revision_of, serving
from tests.support.builders.objects import NOW, route, sound, target
from tests.unit.plan.test_properties import WORLDS

from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Settings
from claude_gateway_operator.status_writer import document


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
    if ref.kind == Kind.GATEWAY_CLIENT:
        clients = [[c for c in p.policy.clients if c.name == name] for p in (old, new)]
        return clients[0] == clients[1] and old.policy.client_keys == new.policy.client_keys
    if ref.kind == Kind.BUDGET:
        budgets = [[b for b in p.policy.budgets if b.name == name] for p in (old, new)]
        return budgets[0] == budgets[1]
    routes = [[r for r in p.policy.routes if r.name == name] for p in (old, new)]
    return routes[0] == routes[1]


def _of_namespace(ref: ObjectRef, decided: Plan) -> list[Any]:
    return [r for r in decided.policy.routes if r.name.startswith(f"{ref.namespace}/")]


PREFIXES: dict[str, str] = {Kind.MODEL_ROUTE: "route", Kind.GATEWAY_CLIENT: "client", Kind.BUDGET: "budget"}
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
            mine = f"{PREFIXES[ref.kind]}:{ref.namespace}/{ref.name}"
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
    reporting = pod(serving(revision_of(plan)))
    for pods in ([reporting, pod(None, "new")], [pod(None)], [pod(PodReport())], [reporting, pod(PodReport(), "new")]):
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
