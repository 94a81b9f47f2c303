"""An object's status as it is stored: one entry per release that serves the object, and a summary of all entries.

Each release owns its entry and computes the summary from every entry that it sees. No entry depends on the summary, so
releases that serve the same object agree as soon as they see each other's entries. The pattern is that of the Gateway
API's ``status.parents``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status.budget_details import BudgetDetails, read_budget
from claude_gateway.plan.status.credential_details import CredentialDetails, read_details

OURS: Final = tuple(str(kind) for kind in ConditionType)
"""The condition types of a summary, in their order; conditions of other types belong to other writers."""
_RANKS: Final = {"False": 0, "Unknown": 1, "True": 2}
_TROUBLE: Final = frozenset(
    (
        ConditionType.EXPIRING_SOON,
        ConditionType.TARGETS_EJECTED,
        ConditionType.SPENT,
        ConditionType.SUSPENDED,
        ConditionType.WARNINGS,
    )
)
"""Conditions that are true if something is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """One installation of the gateway: its namespace and its full name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as Kubernetes stores it; ``status`` is ``True``, ``False`` or ``Unknown``."""

    type: str
    status: str
    observed_generation: int
    last_transition_time: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported about an object of some generation, by one release or as the summary of all.

    ``last_used`` is when a client was last used, ``budget`` what was spent of a Budget.
    """

    generation: int
    conditions: tuple[Condition, ...]
    credential: CredentialDetails | None = None
    last_used: str | None = None
    budget: BudgetDetails | None = None


NOTHING: Final = Report(0, ())
"""The summary of an object that no release has reported about; generations start at 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one release reports."""

    release: Release
    report: Report


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """The status in the cluster; ``version`` is the object's ``resourceVersion``."""

    summary: Report = NOTHING
    entries: tuple[Entry, ...] = ()
    version: str = ""

    def of(self, release: Release | None) -> Entry | None:
        """Return a release's entry."""
        return next((entry for entry in self.entries if entry.release == release), None)

    def others(self, release: Release) -> tuple[Entry, ...]:
        """Return the entries of all other releases."""
        return tuple(entry for entry in self.entries if entry.release != release)


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """A status to write: this release's entry and the summary.

    Without an ``entry`` the release's own entry is removed, and the summary belongs to no single release. ``version``
    is set if the write is valid only if no other writer has changed the object.
    """

    object: ObjectRef
    summary: Report
    entry: Entry | None = None
    version: str | None = None


def serve(ref: ObjectRef, stored: StoredStatus, entry: Entry, now: datetime) -> StatusWrite | None:
    """Return how to write a release's entry; None if the stored status already says the same."""
    if stored.entries == (entry,) and stored.summary == entry.report:
        # The usual case needs no summary: there is one release, and it has nothing new to say.
        return None
    summary = _summary((*stored.others(entry.release), entry), stored.summary.conditions, now)
    if stored.of(entry.release) == entry and _same(stored, summary):
        return None
    return StatusWrite(object=ref, summary=summary, entry=entry)


def leave(
    ref: ObjectRef, stored: StoredStatus, release: Release, *, generation: int, why: str, now: datetime
) -> StatusWrite | None:
    """Return how to write that a release does not serve an object; None if the stored status does not claim it.

    If no other release serves the object, the summary says so; ``why`` is its message.
    """
    others = stored.others(release)
    absent = stored.of(release) is None
    if absent and others:
        return None
    if others:
        summary = _summary(others, stored.summary.conditions, now)
    else:
        summary = Report(generation, tuple(_unserved(stored.summary.conditions, generation, why=why, now=now)))
    if absent and _same(stored, summary):
        return None
    return StatusWrite(object=ref, summary=summary, version=stored.version or None)


def read_status(manifest: Mapping[Any, Any]) -> StoredStatus:
    """Read the status of a manifest; malformed parts are skipped."""
    status, metadata = manifest.get("status"), manifest.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    version = version if isinstance(version, str) else ""
    if not isinstance(status, Mapping):
        return StoredStatus(version=version)
    raw = status.get("gateways")
    return StoredStatus(
        summary=_report(status),
        entries=tuple(_entries(raw if isinstance(raw, list) else ())),
        version=version,
    )


def timestamp(now: datetime) -> str:
    """Return a time as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _summary(entries: Iterable[Entry], before: Iterable[Condition], now: datetime) -> Report:
    """Summarize entries: for each type, the condition that is furthest from being true for the newest generation."""
    ordered = sorted(entries, key=lambda entry: entry.release)
    since = {(condition.type, condition.status): condition.last_transition_time for condition in before}
    present = timestamp(now)
    conditions = []
    for kind in OURS:
        found = [(entry, each) for entry in ordered for each in entry.report.conditions if each.type == kind]
        if not found:
            continue
        entry, worst = min(found, key=lambda pair: _rank(pair[1]))
        plain = worst.status == "True" or len(ordered) == 1
        conditions.append(
            Condition(
                type=kind,
                status=worst.status,
                observed_generation=worst.observed_generation,
                last_transition_time=since.get((kind, worst.status), present),
                reason=worst.reason,
                message=worst.message if plain else f"Release {entry.release}: {worst.message}",
            )
        )
    reports = [entry.report for entry in ordered]
    budgets = [report.budget for report in reports if report.budget is not None]
    return Report(
        generation=min(report.generation for report in reports),
        conditions=tuple(conditions),
        credential=next((report.credential for report in reports if report.credential is not None), None),
        last_used=max((report.last_used for report in reports if report.last_used is not None), default=None),
        budget=max(budgets, key=lambda budget: budget.rank, default=None),
    )


def _rank(condition: Condition) -> tuple[int, int, bool]:
    partly = condition.reason == Reason.PARTIALLY_ACCEPTED
    rank = _RANKS.get(condition.status, 1)
    return (-rank if condition.type in _TROUBLE else rank, condition.observed_generation, not partly)


def _unserved(before: Iterable[Condition], generation: int, *, why: str, now: datetime) -> Iterator[Condition]:
    since = {(condition.type, condition.status): condition.last_transition_time for condition in before}
    for kind in (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED, ConditionType.READY):
        unchecked = kind in (ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS)
        state = "Unknown" if unchecked else "False"
        time = since.get((kind, state), timestamp(now))
        yield Condition(kind, state, generation, time, Reason.NOT_SERVED, why)


def _same(stored: StoredStatus, summary: Report) -> bool:
    """Return whether a summary is stored already, whatever the conditions of other writers."""
    ours = frozenset(condition for condition in stored.summary.conditions if condition.type in OURS)
    return ours == set(summary.conditions) and replace(stored.summary, conditions=summary.conditions) == summary


def _entries(raw: Iterable[object]) -> Iterator[Entry]:
    for entry in raw:
        if not isinstance(entry, Mapping):
            continue
        namespace, name = entry.get("namespace"), entry.get("name")
        if isinstance(namespace, str) and isinstance(name, str):
            yield Entry(Release(namespace, name), _report(entry))


def _report(raw: Mapping[Any, Any]) -> Report:
    return Report(
        generation=_integer(raw.get("observedGeneration")) or 0,
        conditions=tuple(_conditions(raw.get("conditions"))),
        credential=read_details(raw.get("credential")),
        last_used=_time(raw.get("lastUsed")),
        budget=read_budget(raw.get("budget")),
    )


def _conditions(raw: object) -> Iterator[Condition]:
    for entry in raw if isinstance(raw, list) else ():
        if not isinstance(entry, Mapping):
            continue
        kind, state, since = (
            _text(entry.get("type")),
            _text(entry.get("status")),
            _text(entry.get("lastTransitionTime")),
        )
        if kind and state and since:
            reason, message = _text(entry.get("reason")), _text(entry.get("message"))
            yield _condition(kind, state, _integer(entry.get("observedGeneration")) or 0, since, reason, message)


@lru_cache(maxsize=4096)
def _condition(kind: str, state: str, generation: int, since: str, reason: str, message: str) -> Condition:
    """Return one condition; objects that say the same share it, because a release can have thousands of them."""
    return Condition(kind, state, generation, since, reason, message)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
