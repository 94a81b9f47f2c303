"""When a client was last used: the newest report counts, and the status changes seldom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.builders.objects import client, secret

from claude_gateway.contract.report import ClientUse, PodReport, ProcessReport
from claude_gateway.plan.clients.last_use import shown
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.status.stored_status import StatusWrite
from claude_gateway.plan.world import Settings

_NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def _pod(name: str, *uses: tuple[str, datetime]) -> PodState:
    clients = tuple(ClientUse(client=client, at=at.timestamp()) for client, at in uses)
    return PodState(name=name, ready=True, report=PodReport(gateway=ProcessReport(clients=clients)))


def _written(*pods: PodState, status: dict[str, Any] | None = None) -> StatusWrite | None:
    manifest = {**client(), **({"status": status} if status else {})}
    world = read([secret(), manifest], Settings(release="cg"))
    changed = decide(replace(world, pods=(*pods, PodState("silent", ready=False, report=None))), _NOW).changed
    return next((write for write in changed if write.object.name == "alice"), None)


def test_the_newest_report_counts() -> None:
    early, late = _NOW - timedelta(hours=2), _NOW - timedelta(hours=1)
    write = _written(_pod("a", ("default/alice", late)), _pod("b", ("default/alice", early), ("default/bob", _NOW)))
    assert write is not None
    assert write.entry is not None
    assert (write.entry.report.last_used, write.summary.last_used) == ("2026-05-04T11:00:00Z", "2026-05-04T11:00:00Z")


def test_a_use_in_the_future_is_not_believed() -> None:
    write = _written(_pod("a", ("default/alice", _NOW + timedelta(hours=1))))
    assert write is not None
    assert write.summary.last_used is None


@pytest.mark.parametrize(
    ("used", "before", "expected"),
    [
        (None, None, None),
        (None, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        (_NOW, None, "2026-05-04T12:00:00Z"),
        (_NOW, "2026-05-04T06:00:01Z", "2026-05-04T06:00:01Z"),
        (_NOW, "2026-05-04T06:00:00Z", "2026-05-04T12:00:00Z"),
        (_NOW, "2026-05-05T00:00:00Z", "2026-05-05T00:00:00Z"),
        (_NOW, "yesterday", "2026-05-04T12:00:00Z"),
        (_NOW, "2026-05-04T06:00:01", "2026-05-04T12:00:00Z"),
    ],
)
def test_the_status_changes_seldom(used: datetime | None, before: str | None, expected: str | None) -> None:
    assert shown(used, before) == expected


def test_a_status_that_says_the_same_is_not_written() -> None:
    first = _written(_pod("a", ("default/alice", _NOW)))
    assert first is not None
    assert first.entry is not None
    conditions = [
        {
            "type": each.type,
            "status": each.status,
            "observedGeneration": each.observed_generation,
            "lastTransitionTime": each.last_transition_time,
            "reason": each.reason,
            "message": each.message,
        }
        for each in first.summary.conditions
    ]
    entry = {"namespace": "default", "name": "cg", "observedGeneration": 1, "conditions": conditions}
    status = {
        "observedGeneration": 1,
        "conditions": conditions,
        "lastUsed": first.summary.last_used,
        "gateways": [{**entry, "lastUsed": first.summary.last_used}],
    }
    assert _written(_pod("a", ("default/alice", _NOW)), status=status) is None
