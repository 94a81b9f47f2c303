"""The decision: from a World to everything that should be."""

from dataclasses import dataclass
from datetime import datetime

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.policy import Policy
from claude_gateway.plan.problem import Problem
from claude_gateway.plan.status import Event, ObjectStatus
from claude_gateway.plan.world import World


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that should be.

    ``bundle`` is None when it would be too large: what serves now stays. ``policy`` is the value behind
    ``gateway.json``. ``problems`` are all mistakes, those of reading included, in a fixed order. ``wake_at`` is when
    to decide again although nothing changed.
    """

    bundle: Bundle | None
    policy: Policy
    statuses: tuple[ObjectStatus, ...]
    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    wake_at: datetime | None = None


def decide(world: World, now: datetime) -> Plan:
    """Decide what the data plane does and what each object is told; pure, deterministic, never raises."""
    return Plan(bundle=Bundle(gateway=b"{}", litellm=b"{}"), policy=Policy(), statuses=(), events=(), problems=world.problems)
