"""What several releases write into one status: an entry each, and one summary that all of them agree on."""

from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders.objects import NOW, credential, route, secret

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status.stored_status import (
    Condition,
    Entry,
    Release,
    Report,
    StatusWrite,
    StoredStatus,
    leave,
    read_status,
    serve,
)
from claude_gateway.plan.world import Settings

LATER = NOW + timedelta(minutes=5)
REF = ObjectRef("ModelRoute", "team", "claude")
ONE, TWO = Release("ai", "cg"), Release("ai", "second")
PROGRAMMED, READY = ConditionType.PROGRAMMED, ConditionType.READY


def condition(kind: str, status: str, *, generation: int = 1, reason: str = "Because", message: str = "m") -> Condition:
    return Condition(kind, status, generation, "2026-01-01T00:00:00Z", reason, message)


def entry(release: Release, status: str, *, generation: int = 1, **fields: str) -> Entry:
    return Entry(release, Report(generation, (condition(PROGRAMMED, status, generation=generation, **fields),)))


def after(write: StatusWrite | None, before: StoredStatus) -> StoredStatus:
    """The status once the API server has merged a write into it."""
    if write is None:
        return before
    own = () if write.entry is None else (write.entry,)
    others = tuple(e for e in before.entries if not own or e.release != own[0].release)
    return StoredStatus(write.summary, (*others, *own))


def summary(stored: StoredStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.message) for c in stored.summary.conditions}


def test_two_releases_agree_whoever_writes_last_and_then_write_no_more() -> None:
    mine, theirs = entry(ONE, "True"), entry(TWO, "False", message="No proxy pod is ready.")
    both = StoredStatus()
    for turn in (mine, theirs, mine):
        both = after(serve(REF, both, turn, NOW), both)
    assert summary(both) == {PROGRAMMED: ("False", "Release ai/second: No proxy pod is ready.")}
    assert serve(REF, both, mine, LATER) is None
    assert serve(REF, both, theirs, LATER) is None


def test_writes_that_crossed_are_put_right_by_the_next_one() -> None:
    mine, theirs = entry(ONE, "True"), entry(TWO, "False")
    empty = StoredStatus()
    first, second = serve(REF, empty, theirs, NOW), serve(REF, empty, mine, NOW)
    assert first is not None
    assert second is not None
    crossed = StoredStatus(second.summary, (mine, theirs))
    assert summary(crossed)[PROGRAMMED][0] == "True"
    for turn in (mine, theirs):
        found = after(serve(REF, crossed, turn, LATER), crossed)
        assert summary(found)[PROGRAMMED][0] == "False"


def test_the_time_in_the_summary_is_that_of_its_own_change() -> None:
    stored = after(serve(REF, StoredStatus(), entry(ONE, "True"), NOW), StoredStatus())
    stored = after(serve(REF, stored, entry(TWO, "True"), LATER), stored)
    assert [c.last_transition_time for c in stored.summary.conditions] == ["2026-11-21T09:30:00Z"]
    stored = after(serve(REF, stored, entry(TWO, "False"), LATER), stored)
    assert [c.last_transition_time for c in stored.summary.conditions] == ["2026-11-21T09:35:00Z"]


def test_the_summary_is_as_old_as_the_release_that_lags_behind() -> None:
    stored = after(serve(REF, StoredStatus(), entry(ONE, "True"), NOW), StoredStatus())
    stored = after(serve(REF, stored, entry(TWO, "True", generation=2), NOW), stored)
    assert stored.summary.generation == 1
    assert [c.observed_generation for c in stored.summary.conditions] == [1]


def test_a_part_that_is_not_accepted_shows_through() -> None:
    partly = Entry(TWO, Report(1, (condition("Accepted", "True", reason=Reason.PARTIALLY_ACCEPTED),)))
    whole = Entry(ONE, Report(1, (condition("Accepted", "True", reason=Reason.ACCEPTED),)))
    for first, second in ((partly, whole), (whole, partly)):
        stored = after(serve(REF, StoredStatus(), first, NOW), StoredStatus())
        stored = after(serve(REF, stored, second, NOW), stored)
        assert stored.summary.conditions[0].reason == Reason.PARTIALLY_ACCEPTED


def test_the_last_release_that_leaves_says_that_nobody_serves() -> None:
    stored = after(serve(REF, StoredStatus(), entry(ONE, "True"), NOW), StoredStatus(version="7"))
    write = leave(REF, stored, ONE, generation=3, why="gone", now=LATER)
    assert write is not None
    assert (write.entry, write.summary.generation) == (None, 3)
    found = {c.type: (c.status, c.reason, c.message) for c in write.summary.conditions}
    assert found[PROGRAMMED] == found[READY] == ("False", Reason.NOT_SERVED, "gone")
    assert found["Accepted"] == found["ResolvedRefs"] == ("Unknown", Reason.NOT_SERVED, "gone")
    left = StoredStatus(write.summary)
    assert leave(REF, left, ONE, generation=3, why="gone", now=LATER) is None


def test_a_release_that_leaves_others_lets_them_stand() -> None:
    stored = StoredStatus(Report(1, ()), (entry(ONE, "False"), entry(TWO, "True")))
    write = leave(REF, stored, ONE, generation=1, why="gone", now=NOW)
    assert write is not None
    assert [(c.type, c.status, c.message) for c in write.summary.conditions] == [(PROGRAMMED, "True", "m")]
    assert (
        leave(REF, StoredStatus(Report(1, ()), (entry(TWO, "True"),)), ONE, generation=1, why="gone", now=NOW) is None
    )


def test_a_claim_of_nobody_holds_only_while_nobody_else_writes() -> None:
    write = leave(REF, StoredStatus(version="7"), ONE, generation=1, why="typo", now=NOW)
    assert write is not None
    assert write.version == "7"


def decided(manifest: dict[str, Any], release: str = "cg") -> Plan:
    return decide(read([secret(), credential(), manifest], Settings(release=release, namespace="ai")), NOW)


def test_an_object_for_a_release_that_is_not_there_says_so() -> None:
    manifest = route(gatewayRef={"name": "typo"})
    (write,) = [w for w in decided(manifest).changed if w.object.name == "sonnet"]
    assert {c.reason for c in write.summary.conditions} == {Reason.NOT_SERVED}
    assert "spec.gatewayRef.name: no release `typo` serves this object" in write.summary.conditions[0].message


def test_an_object_for_a_release_that_serves_it_is_left_alone() -> None:
    served = {"namespace": "ai", "name": "other", "observedGeneration": 1, "conditions": []}
    manifest = {**route(gatewayRef={"name": "other"}), "status": {"gateways": [served]}}
    assert [w for w in decided(manifest).changed if w.object.name == "sonnet"] == []


def test_an_object_that_moved_to_another_release_loses_our_entry() -> None:
    ours = {"namespace": "ai", "name": "cg", "observedGeneration": 1, "conditions": []}
    manifest = {**route(gatewayRef={"name": "other"}), "status": {"gateways": [ours]}}
    (write,) = [w for w in decided(manifest).changed if w.object.name == "sonnet"]
    assert write.entry is None


@pytest.mark.parametrize("metadata", [None, [], {"generation": "2"}])
def test_a_foreign_object_may_have_odd_metadata(metadata: object) -> None:
    manifest = {**route(gatewayRef={"name": "other"}), "metadata": metadata}
    (other,) = read([manifest], Settings(release="cg", strict=False)).foreign.values()
    assert (other.generation, other.status) == (0, StoredStatus())


@pytest.mark.parametrize(
    "status",
    [
        None,
        [],
        {},
        {"conditions": None, "gateways": None, "observedGeneration": "1"},
        {"conditions": {}, "gateways": {}, "observedGeneration": True},
        {"conditions": [None, 5, {}, {"type": "Accepted"}, {"type": 1, "status": True, "lastTransitionTime": 5}]},
        {"gateways": [None, {}, {"namespace": 1, "name": "x"}, {"namespace": "x"}]},
    ],
)
def test_what_is_no_status_is_left_out(status: object) -> None:
    assert read_status({"metadata": {"resourceVersion": 5}, "status": status}) == StoredStatus()


def test_an_entry_without_a_generation_has_seen_none() -> None:
    stored = read_status({"status": {"gateways": [{"namespace": "a", "name": "b"}]}})
    assert stored.entries == (Entry(Release("a", "b"), Report(0, ())),)


def test_an_object_in_a_namespace_that_is_served_no_more_loses_our_entry_and_nothing_else_is_written_there() -> None:
    ours = {"namespace": "ai", "name": "cg", "observedGeneration": 1, "conditions": []}
    theirs = {**ours, "name": "other"}
    served = Settings(release="cg", namespace="ai", scope=frozenset({"ai"}))
    left = [
        {**route("left", namespace="team"), "status": {"gateways": [ours]}},
        {**route("typo", namespace="team", gatewayRef={"name": "typo"}), "status": {"gateways": [ours]}},
        {**route("shared", namespace="team"), "status": {"gateways": [theirs]}},
        route("never", namespace="team"),
    ]
    plan = decide(read([secret(namespace="ai"), *left], served), NOW)
    assert {write.object.name for write in plan.changed} == {"left", "typo"}
    for write in plan.changed:
        assert write.entry is None
        assert {c.reason for c in write.summary.conditions} == {Reason.NOT_SERVED}
        assert "does not serve the namespace any more" in write.summary.conditions[0].message
    assert plan.bundle.gateway == decide(read([], served), NOW).bundle.gateway
