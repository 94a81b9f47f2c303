"""The status of an object: its conditions and, when one of them changes, Events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.programmed import ConditionState

_ABOUT_REFERENCES: Final = frozenset(
    (
        Reason.CREDENTIAL_NOT_FOUND,
        Reason.CREDENTIAL_NOT_USABLE,
        Reason.CREDENTIAL_MISMATCH,
        Reason.MODEL_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.SECRET_KEY_NOT_FOUND,
        Reason.SECRET_NOT_LABELLED,
        Reason.SECRET_VALUE_INVALID,
        Reason.SECRET_FORBIDDEN,
    )
)
_WITHOUT_EVENT: Final = frozenset((Reason.PENDING, Reason.NO_READY_PODS, Reason.NOTHING_TO_SERVE))
"""Reasons that cause no Event: they are temporary, concern the whole data plane, or repeat another condition."""
_SHOWN: Final = 3


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
class ObjectStatus:
    """The conditions of one object."""

    object: ObjectRef
    conditions: tuple[Condition, ...]

    def differs(self, before: tuple[Condition, ...]) -> bool:
        """Return whether the status must be written; ``before`` may also hold conditions of other writers."""
        return not set(self.conditions) <= set(before)


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event for the object's owner; ``type`` is ``Normal`` or ``Warning``."""

    object: ObjectRef
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What an object's status is computed from: its Problems, and what the pods serve.

    ``acceptable`` says that part of the object can serve in spite of its Problems. ``programmed`` is the state of the
    ``Programmed`` condition, None outside of a cluster.
    """

    ref: ObjectRef
    generation: int
    before: tuple[Condition, ...]
    problems: tuple[Problem, ...]
    readable: bool
    acceptable: bool
    programmed: ConditionState | None = None


def about_references(problem: Problem) -> bool:
    """Return whether a Problem is about something that the object refers to, and not about its own spec."""
    return problem.reason in _ABOUT_REFERENCES


def previous_conditions(status: object) -> tuple[Condition, ...]:
    """Read the conditions of a status; malformed ones are skipped."""
    raw = status.get("conditions") if isinstance(status, Mapping) else None
    found = []
    for entry in raw if isinstance(raw, list) else []:
        if not isinstance(entry, Mapping):
            continue
        texts = [entry.get(name) for name in ("type", "status", "lastTransitionTime", "reason", "message")]
        kind, state, since, reason, message = (text if isinstance(text, str) else "" for text in texts)
        seen = entry.get("observedGeneration")
        if kind and state and since:
            found.append(Condition(kind, state, seen if isinstance(seen, int) else 0, since, reason, message))
    return tuple(found)


def report(standing: Standing, now: datetime) -> tuple[ObjectStatus, list[Event]]:
    """Return an object's conditions, and an Event for each one that is new or whose status or reason changed.

    Changes to ``Unknown`` and changes of ``Ready`` cause no Event: the condition behind ``Ready`` already does.
    """
    before = {condition.type: condition for condition in standing.before}
    conditions: list[Condition] = []
    events: list[Event] = []
    for kind, (state, reason, message) in _states(standing).items():
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == state else _time(now)
        conditions.append(Condition(kind, state, standing.generation, since, reason, message))
        news = state != "Unknown" and kind != ConditionType.READY and reason not in _WITHOUT_EVENT
        if news and (old is None or (old.status, old.reason) != (state, reason)):
            fine = state == "True" and reason != Reason.PARTIALLY_ACCEPTED
            events.append(Event(standing.ref, "Normal" if fine else "Warning", reason, message))
    return ObjectStatus(standing.ref, tuple(conditions)), events


def _states(standing: Standing) -> dict[ConditionType, ConditionState]:
    errors = [problem for problem in standing.problems if problem.severity is Severity.ERROR]
    warnings = [problem for problem in standing.problems if problem.severity is Severity.WARNING]
    of_references = [problem for problem in errors if about_references(problem)]
    of_spec = [problem for problem in errors if not about_references(problem)]
    valid = " ".join(filter(None, ("The spec is valid.", _joined(warnings))))
    accepted: ConditionState = ("True", Reason.ACCEPTED, valid)
    if of_spec and standing.acceptable:
        accepted = ("True", Reason.PARTIALLY_ACCEPTED, _joined(of_spec))
    elif of_spec:
        accepted = ("False", of_spec[0].reason, _joined(of_spec))
    resolved: ConditionState = ("True", Reason.RESOLVED, "Everything that the spec refers to exists and can be used.")
    if not standing.readable:
        resolved = (
            "Unknown",
            Reason.INVALID,
            "Not checked, because the spec is invalid. Fix the fields that `Accepted` names.",
        )
    elif of_references:
        resolved = ("False", of_references[0].reason, _joined(of_references))
    states = {ConditionType.ACCEPTED: accepted, ConditionType.RESOLVED_REFS: resolved}
    if standing.programmed is not None:
        states[ConditionType.PROGRAMMED] = standing.programmed
        states[ConditionType.READY] = _ready(states)
    return states


def _ready(states: Mapping[ConditionType, ConditionState]) -> ConditionState:
    """Summarize the other conditions: the first one that is not true is the reason."""
    for kind, (state, reason, _) in states.items():
        if state != "True":
            return ("False", reason, f"{kind} is {state}: see that condition.")
    return ("True", Reason.READY, "Accepted, resolved, and live on every ready proxy pod.")


def _joined(problems: Sequence[Problem]) -> str:
    """Join the first Problems into one message."""
    shown = " ".join(f"{problem.field}: {problem.message}. {problem.fix}" for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown} And {more} more." if more > 0 else shown


def _time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
