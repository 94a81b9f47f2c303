"""The status of an object: its conditions and, when one of them changes, Events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.status.credential_details import CredentialDetails
from claude_gateway.plan.status.programmed import ConditionState
from claude_gateway.plan.status.stored_status import Condition, timestamp

_ABOUT_REFERENCES: Final = frozenset(
    (
        Reason.CREDENTIAL_NOT_FOUND,
        Reason.CREDENTIAL_NOT_USABLE,
        Reason.CREDENTIAL_SUSPENDED,
        Reason.CREDENTIAL_MISMATCH,
        Reason.MODEL_NOT_FOUND,
        Reason.PARENT_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.SECRET_KEY_NOT_FOUND,
        Reason.SECRET_NOT_LABELLED,
        Reason.SECRET_VALUE_INVALID,
        Reason.SECRET_FORBIDDEN,
        Reason.HASHES_INVALID,
        Reason.ISSUER_UNKNOWN,
        Reason.NOT_SIGNED_IN,
        Reason.SECRET_HAS_OTHER_WRITER,
    )
)
_WITHOUT_EVENT: Final = frozenset((Reason.PENDING, Reason.NO_READY_PODS, Reason.NOTHING_TO_SERVE))
"""Reasons that cause no Event: they are temporary, concern the whole data plane, or repeat another condition."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """The conditions of one object, as this release sees it."""

    object: ObjectRef
    generation: int
    conditions: tuple[Condition, ...]
    credential: CredentialDetails | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event for the object's owner; ``type`` is ``Normal`` or ``Warning``."""

    object: ObjectRef
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """What an object's status is computed from: its Problems, and what the pods serve.

    ``before`` are the conditions that this release wrote last. ``acceptable`` says that part of the object can serve in
    spite of its Problems. ``programmed`` is the state of the ``Programmed`` condition, None outside of a cluster.
    ``of_kind`` are the conditions that only objects of its kind have, ``details`` what else is known of a
    ClaudeCredential.
    """

    ref: ObjectRef
    generation: int
    before: tuple[Condition, ...]
    problems: tuple[Problem, ...]
    readable: bool
    acceptable: bool
    programmed: ConditionState | None = None
    of_kind: Mapping[ConditionType, ConditionState] = field(default_factory=dict)
    details: CredentialDetails | None = None


def about_references(problem: Problem) -> bool:
    """Return whether a Problem is about something that the object refers to, and not about its own spec."""
    return problem.reason in _ABOUT_REFERENCES


def report(inputs: StatusInputs, now: datetime) -> tuple[ObjectStatus, list[Event]]:
    """Return an object's conditions, and an Event for each transition that its owner should know of."""
    before = {condition.type: condition for condition in inputs.before}
    conditions: list[Condition] = []
    events: list[Event] = []
    for kind, (state, reason, message) in _states(inputs).items():
        old = before.get(kind)
        since = old.last_transition_time if old is not None and old.status == state else timestamp(now)
        if kind is ConditionType.VALID and old is not None and (old.status, old.reason) == (state, reason):
            # Each answer has other words; the details have the newest ones.
            message = old.message
        new = Condition(kind, state, inputs.generation, since, reason, message)
        # An equal condition is kept as it is: most are the same for thousands of objects and share their memory.
        conditions.append(old if old is not None and old == new else new)
        if old is None or (old.status, old.reason) != (state, reason):
            severity = _severity(kind, state, reason, before=None if old is None else old.status)
            events.extend([Event(inputs.ref, severity, reason, message)] if severity else [])
    return ObjectStatus(inputs.ref, inputs.generation, tuple(conditions), inputs.details), events


def _severity(kind: ConditionType, state: str, reason: Reason, *, before: str | None) -> str | None:
    """Return the type of the Event for a condition that changed to this; None if it causes none.

    Only two improvements cause an Event: the object is live, or a rejected credential is accepted again. Changes of
    ``Ready`` and to ``Unknown`` repeat other conditions.
    """
    if (
        kind in (ConditionType.TARGETS_EJECTED, ConditionType.SPENT, ConditionType.WARNINGS)
        or reason is Reason.PARTIALLY_ACCEPTED
    ):
        return "Warning"
    if kind is ConditionType.SUSPENDED:
        return "Normal"
    if kind is ConditionType.EXPIRING_SOON:
        return "Warning" if state == "True" else None
    if kind is ConditionType.VALID and state == "True":
        return "Normal" if before == "False" else None
    if kind is ConditionType.READY or state == "Unknown" or reason in _WITHOUT_EVENT:
        return None
    if state == "False":
        return "Warning"
    return "Normal" if kind is ConditionType.PROGRAMMED else None


def _states(inputs: StatusInputs) -> dict[ConditionType, ConditionState]:
    errors = [problem for problem in inputs.problems if problem.severity is Severity.ERROR]
    suspended = [problem for problem in inputs.problems if problem.reason is Reason.SUSPENDED]
    warnings = [
        problem
        for problem in inputs.problems
        if problem.severity is Severity.WARNING and problem.reason is not Reason.SUSPENDED
    ]
    of_references = [problem for problem in errors if about_references(problem)]
    of_spec = [problem for problem in errors if not about_references(problem)]
    valid = " ".join(filter(None, ("The spec is valid.", _joined(warnings))))
    accepted: ConditionState = ("True", Reason.ACCEPTED, valid)
    if of_spec and inputs.acceptable:
        accepted = ("True", Reason.PARTIALLY_ACCEPTED, _joined(of_spec))
    elif of_spec:
        accepted = ("False", of_spec[0].reason, _joined(of_spec))
    resolved: ConditionState = ("True", Reason.RESOLVED, "Everything that the spec refers to exists and can be used.")
    if not inputs.readable:
        resolved = (
            "Unknown",
            Reason.INVALID,
            "Not checked, because the spec is invalid. Fix the fields that `Accepted` names.",
        )
    elif of_references:
        resolved = ("False", of_references[0].reason, _joined(of_references))
    states = {ConditionType.ACCEPTED: accepted, ConditionType.RESOLVED_REFS: resolved}
    out = tuple(("True", Reason.SUSPENDED, _joined([problem])) for problem in suspended)
    if inputs.programmed is not None:
        states[ConditionType.PROGRAMMED] = inputs.programmed
        unready = tuple(("False", reason, message) for _, reason, message in out)
        states[ConditionType.READY] = _ready((*unready, *states.values(), *_known_false(inputs)))
        states.update(inputs.of_kind)
    states.update((ConditionType.SUSPENDED, state) for state in out)
    if warnings:
        states[ConditionType.WARNINGS] = ("True", warnings[0].reason, _joined(warnings))
    return states


def _known_false(inputs: StatusInputs) -> tuple[ConditionState, ...]:
    """Return the rejection of a credential; a credential that was not used yet counts as ready."""
    valid = inputs.of_kind.get(ConditionType.VALID)
    return (valid,) if valid is not None and valid[0] == "False" else ()


def _ready(states: Iterable[ConditionState]) -> ConditionState:
    """Summarize the other conditions: the first one that is not true is the reason, and its message too.

    Many tools show nothing but this message.
    """
    for state, reason, message in states:
        if state != "True":
            return ("False", reason, message)
    return ("True", Reason.READY, "Accepted, resolved, and live on every ready proxy pod.")


def _joined(problems: Sequence[Problem]) -> str:
    """Join the first Problems into one message."""
    shown = " ".join(f"{problem.field}: {problem.message}. {problem.fix}" for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown} And {more} more." if more > 0 else shown
