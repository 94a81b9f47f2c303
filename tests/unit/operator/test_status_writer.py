"""The manifests of statuses and Events, and their order."""

from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status import Event
from claude_gateway_operator import status_writer


def test_warnings_are_told_first() -> None:
    ref = ObjectRef("ModelRoute", "a", "b")
    events = [Event(ref, kind, reason, "") for kind, reason in (("Normal", "A"), ("Warning", "B"), ("Normal", "C"))]
    assert [event.reason for event in status_writer.ordered(events)] == ["B", "A", "C"]
