"""What an object is told about itself: conditions and, when one changes, events."""

from dataclasses import dataclass

from claude_gateway.names import ConditionType
from claude_gateway.plan.problem import ObjectRef


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition as Kubernetes keeps it; ``status`` is ``True``, ``False`` or ``Unknown``."""

    type: ConditionType
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


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the object's owner once; ``type`` is ``Normal`` or ``Warning``."""

    object: ObjectRef
    type: str
    reason: str
    message: str
