"""A route's status says which targets pods have ejected, until when and why, and is written rarely."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.builders.objects import NOW, credential, route, secret, target

from claude_gateway.contract.report import EjectedTarget, PodReport, ProcessReport
from claude_gateway.names import ConditionType
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.world import Settings
from claude_gateway_operator.status_writer import document

_RULES = Settings(release="cg", namespace="gateway", strict=False)
_ROUTE = route(
    "sonnet",
    models=["sonnet"],
    targets=[target("anthropic/m"), target("anthropic/*", priority=1), target("anthropic/n")],
)
_ALL = [secret(), credential(), _ROUTE, route("other", models=["other"])]
_UNTIL = NOW.timestamp() + 90


def _ejected(index: int, *, reason: str = "overloaded", until: float = _UNTIL, model: str = "") -> EjectedTarget:
    ids = [each.id for each in decide(read(_ALL, _RULES), NOW).policy.routes[1].targets]
    return EjectedTarget(target=ids[index], model=model, reason=reason, since=NOW.timestamp() - 60, until=until)


def _pod(name: str, *ejected: EjectedTarget) -> PodState:
    return PodState(name, ready=True, report=PodReport(gateway=ProcessReport(ejected=ejected)))


def _decided(pods: Iterable[PodState], manifests: list[Any] | None = None, now: datetime = NOW) -> Plan:
    return decide(replace(read(manifests or _ALL, _RULES), pods=tuple(pods)), now)


def _condition(found: Plan, name: str = "sonnet") -> tuple[str, str, str] | None:
    (status,) = [each for each in found.statuses if (each.object.kind, each.object.name) == ("ModelRoute", name)]
    for each in status.conditions:
        if each.type == ConditionType.TARGETS_EJECTED:
            return each.status, each.reason, each.message
    return None


def _stored(found: Plan) -> list[Any]:
    """The manifests as an API server would return them after our writes."""
    writes = {(write.object.kind, write.object.name): write for write in found.changed}
    stored = []
    for manifest in _ALL:
        write = writes.get((manifest["kind"], manifest["metadata"]["name"]))
        stored.append(manifest if write is None else {**manifest, "status": document(write)["status"]})
    return stored


def test_a_route_whose_targets_are_all_tried_in_their_turn_has_no_such_condition() -> None:
    for pods in ([], [_pod("a")], [PodState("silent", ready=True)], [PodState("half", ready=True, report=PodReport())]):
        assert _condition(_decided(pods)) is None


def test_the_message_names_the_target_its_end_the_pods_and_the_reason() -> None:
    found = _decided([_pod("a", _ejected(0)), _pod("b", _ejected(0, until=_UNTIL + 60)), _pod("c")])
    assert _condition(found) == (
        "True",
        "Ejected",
        f"targets[0] is tried last until {_at(150)}, on 2 of 3 pods: it is overloaded.",
    )
    assert _condition(found, "other") is None
    assert [(each.type, each.reason) for each in found.events if each.object.name == "sonnet"].count(
        ("Warning", "Ejected")
    ) == 1


def _at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_one_model_of_a_target_that_takes_any_is_named() -> None:
    found = _condition(_decided([_pod("a", _ejected(1, model="opus", reason="rate_limited"))]))
    assert found is not None
    assert found[2] == f"targets[1] (opus) is tried last until {_at(90)}, on 1 of 1 pods: its rate limit is used up."


def test_a_long_list_is_cut() -> None:
    found = _condition(_decided([_pod("a", *(_ejected(1, model=f"m{n}") for n in range(9)))]))
    assert found is not None
    assert found[2].endswith("And 5 more.")


def test_a_target_that_was_edited_is_another_one() -> None:
    gone = EjectedTarget(target="apps/sonnet/0.00000000", reason="connect", since=0, until=_UNTIL)
    assert _condition(_decided([_pod("a", gone)])) is None


@pytest.mark.parametrize("until", [-1e300, 1e300])
def test_a_time_that_no_clock_shows_is_cut(until: float) -> None:
    assert _condition(_decided([_pod("a", _ejected(0, until=until))])) is not None


def test_a_reason_of_a_newer_gateway_is_shown_as_it_is() -> None:
    found = _condition(_decided([_pod("a", _ejected(0, reason="melted"))]))
    assert found is not None
    assert found[2].endswith(": melted.")


def test_other_times_pods_and_reasons_are_not_written_before_the_old_message_is_out_of_date() -> None:
    stored = _stored(_decided([_pod("a", _ejected(0)), _pod("b")]))
    before = _condition(_decided([_pod("a", _ejected(0)), _pod("b")]))
    later = NOW + timedelta(minutes=5)
    pods = [_pod("a", _ejected(0, until=_UNTIL + 300, reason="connect")), _pod("b", _ejected(0, until=_UNTIL + 290))]
    again = _decided(pods, stored, later)
    assert _condition(again) == before
    assert not [write for write in again.changed if write.object.name == "sonnet"]
    much_later = _decided(pods, stored, NOW + timedelta(minutes=12))
    after = _condition(much_later)
    assert after is not None
    assert f"{_at(390)}, on 2 of 2 pods: it cannot be reached" in after[2]
    assert not [event for event in much_later.events if event.object.name == "sonnet"]


@pytest.mark.parametrize("targets", [[1], [0, 2]])
def test_another_target_is_written_at_once(targets: list[int]) -> None:
    stored = _stored(_decided([_pod("a", _ejected(0))]))
    found = _decided([_pod("a", *map(_ejected, targets))], stored)
    assert [write.object.name for write in found.changed] == ["sonnet"]


def test_the_condition_goes_when_all_is_well() -> None:
    stored = _stored(_decided([_pod("a", _ejected(0))]))
    found = _decided([_pod("a")], stored)
    assert _condition(found) is None
    assert [write.object.name for write in found.changed] == ["sonnet"]


@pytest.mark.parametrize("time", ["", "9999-99-99T99:99:99Z"])
def test_a_message_that_somebody_else_wrote_is_replaced(time: str) -> None:
    stored = _stored(_decided([_pod("a", _ejected(0))]))
    for entry in stored[2]["status"]["gateways"]:
        for each in entry["conditions"]:
            each["message"] = each["message"].replace(_at(90), time)
    found = _condition(_decided([_pod("a", _ejected(0))], stored))
    assert found is not None
    assert _at(90) in found[2]


def test_the_state_of_targets_does_not_make_a_route_unready() -> None:
    def ready(found: Plan) -> list[tuple[str, str]]:
        (status,) = [each for each in found.statuses if each.object.name == "sonnet"]
        return [(each.status, each.reason) for each in status.conditions if each.type == ConditionType.READY]

    assert ready(_decided([_pod("a", _ejected(0))])) == ready(_decided([_pod("a")]))
