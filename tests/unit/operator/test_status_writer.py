"""The manifests of statuses and Events, and their order."""

from datetime import UTC, datetime

from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status.status import Event
from claude_gateway.plan.status.stored_status import Condition, Entry, Release, Report, StatusWrite
from claude_gateway.release_names import status_manager
from claude_gateway_operator import status_writer


def test_warnings_are_told_first() -> None:
    ref = ObjectRef("ModelRoute", "a", "b")
    events = [Event(ref, kind, reason, "") for kind, reason in (("Normal", "A"), ("Warning", "B"), ("Normal", "C"))]
    assert [event.reason for event in status_writer.ordered(events)] == ["B", "A", "C"]


def status(entry: Entry | None = None) -> StatusWrite:
    ref = ObjectRef("ModelRoute", "a", "b")
    return StatusWrite(object=ref, summary=Report(2, (CONDITION,)), entry=entry, version=None if entry else "7")


CONDITION = Condition("Ready", "True", 2, "2026-01-01T00:00:00Z", "Ready", "It is.")


def test_an_entry_is_written_with_the_summary() -> None:
    written = status_writer.document(status(Entry(Release("ai", "cg"), Report(2, (CONDITION,)))))
    condition = {
        "type": "Ready",
        "status": "True",
        "observedGeneration": 2,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "Ready",
        "message": "It is.",
    }
    entry = {"namespace": "ai", "name": "cg", "observedGeneration": 2, "conditions": [condition]}
    assert written["status"] == {"observedGeneration": 2, "conditions": [condition], "gateways": [entry]}
    assert "resourceVersion" not in written["metadata"]


def test_a_summary_alone_is_bound_to_a_version() -> None:
    written = status_writer.document(status())
    assert "gateways" not in written["status"]
    assert written["metadata"]["resourceVersion"] == "7"


def test_which_release_reports_an_event() -> None:
    about = {"kind": "ModelRoute", "namespace": "a", "name": "b"}
    now = datetime(2026, 11, 21, tzinfo=UTC)
    event = status_writer.event(
        about, kind="Normal", reason="Programmed", message="", now=now, name="b.1", instance="ai/cg"
    )
    assert (event["reportingComponent"], event["reportingInstance"]) == ("claude-gateway", "ai/cg")


def test_each_release_has_a_field_manager_of_its_own() -> None:
    assert status_manager("ai", "cg") == "claude-gateway/ai/cg"
    long = [status_manager("n" * 63, "r" * 200 + end) for end in "ab"]
    assert long[0] != long[1]
    assert {len(name) for name in long} == {128}
