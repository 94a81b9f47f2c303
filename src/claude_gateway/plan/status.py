"""What an object is told about itself: conditions and, when one changes, events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.programmed import Verdict

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
_NO_NEWS: Final = frozenset((Reason.PENDING, Reason.NO_READY_PODS, Reason.NOTHING_TO_SERVE))
"""Reasons that are no event: they pass, concern the data plane as a whole, or another condition says them."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as Kubernetes keeps it; ``status`` is ``True``, ``False`` or ``Unknown``."""

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
        """Whether an object that has the conditions ``before``, and maybe those of others, must be told."""
        return not set(self.conditions) <= set(before)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the object's owner once; ``type`` is ``Normal`` or ``Warning``."""

    object: ObjectRef
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How an object stands: all its Problems, and whether its spec is sound enough to do something in spite of them.

    ``programmed`` is the verdict on what pods serve of it, None where nobody asked them.
    """

    ref: ObjectRef
    generation: int
    before: tuple[Condition, ...]
    problems: tuple[Problem, ...]
    readable: bool
    acceptable: bool
    programmed: Verdict | None = None


def about_references(problem: Problem) -> bool:
    """Whether a Problem is that something else is missing or unfit, rather than the object's own spec."""
    return problem.reason in _ABOUT_REFERENCES


def previous_conditions(status: object) -> tuple[Condition, ...]:
    """Take what is needed of the conditions in a status; what is no condition is left out."""
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
    """Give an object's conditions, and an event for each that is new or has another status or reason.

    A condition that became ``Unknown`` is no event, nor is ``Ready``: the one that made it so is.
    """
    before = {condition.type: condition for condition in standing.before}
    conditions: list[Condition] = []
    events: list[Event] = []
    for kind, (state, reason, message) in _verdicts(standing).items():
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == state else _time(now)
        conditions.append(Condition(kind, state, standing.generation, since, reason, message))
        news = state != "Unknown" and kind != ConditionType.READY and reason not in _NO_NEWS
        if news and (old is None or (old.status, old.reason) != (state, reason)):
            fine = state == "True" and reason != Reason.PARTIALLY_ACCEPTED
            events.append(Event(standing.ref, "Normal" if fine else "Warning", reason, message))
    return ObjectStatus(standing.ref, tuple(conditions)), events


def _verdicts(standing: Standing) -> dict[ConditionType, Verdict]:
    errors = [problem for problem in standing.problems if problem.severity is Severity.ERROR]
    of_references = [problem for problem in errors if about_references(problem)]
    of_spec = [problem for problem in errors if not about_references(problem)]
    accepted: Verdict = ("True", Reason.ACCEPTED, "The spec is sound.")
    if of_spec and standing.acceptable:
        accepted = ("True", Reason.PARTIALLY_ACCEPTED, _told(of_spec))
    elif of_spec:
        accepted = ("False", of_spec[0].reason, _told(of_spec))
    resolved: Verdict = ("True", Reason.RESOLVED, "Everything that the spec names is there.")
    if not standing.readable:
        resolved = ("Unknown", Reason.INVALID, "Not looked at before the spec is sound.")
    elif of_references:
        resolved = ("False", of_references[0].reason, _told(of_references))
    verdicts = {ConditionType.ACCEPTED: accepted, ConditionType.RESOLVED_REFS: resolved}
    if standing.programmed is not None:
        verdicts[ConditionType.PROGRAMMED] = standing.programmed
        verdicts[ConditionType.READY] = _ready(verdicts)
    return verdicts


def _ready(verdicts: Mapping[ConditionType, Verdict]) -> Verdict:
    """Sum the others up: the first that is not true is why."""
    for kind, (state, reason, _) in verdicts.items():
        if state != "True":
            return ("False", reason, f"{kind} is {state}.")
    return ("True", Reason.READY, "It is accepted, all that it names is there, and every ready pod serves it.")


def _told(problems: Sequence[Problem]) -> str:
    """Put the first Problems into one message."""
    told = " ".join(f"{problem.field}: {problem.message}. {problem.fix}" for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{told} And {more} more." if more > 0 else told


def _time(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
