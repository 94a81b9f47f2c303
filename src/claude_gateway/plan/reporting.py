"""The statuses of all objects: what is known of each one, and what this release has to write."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from claude_gateway.contract.route import Route
from claude_gateway.names import ConditionType, Kind
from claude_gateway.plan import ejections
from claude_gateway.plan.budgets import budget_status
from claude_gateway.plan.clients import last_use
from claude_gateway.plan.credentials import credential_status
from claude_gateway.plan.credentials.credentials import Key
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.rollout_state import RolloutState
from claude_gateway.plan.status import stored_status
from claude_gateway.plan.status.programmed import ConditionState
from claude_gateway.plan.status.status import Event, ObjectStatus, StatusInputs
from claude_gateway.plan.status.status import report as status_of
from claude_gateway.plan.status.stored_status import Entry, Release, Report, StatusWrite
from claude_gateway.plan.world import Item, World


@dataclass(frozen=True, slots=True)
class Statuses:
    """The statuses of all objects, those to write, and the Events to write."""

    every: tuple[ObjectStatus, ...]
    changed: tuple[StatusWrite, ...]
    events: tuple[Event, ...]


def report(
    world: World,
    problems: Iterable[Problem],
    *,
    acceptable: frozenset[ObjectRef],
    rollout: RolloutState | None,
    keys: Mapping[ObjectRef, Key],
    routes: Sequence[Route],
    now: datetime,
) -> Statuses:
    """Compute the status of every object.

    A Problem with a document number is about another manifest of the same name, and is not part of the status.
    """
    by_object: dict[ObjectRef, list[Problem]] = {}
    for problem in problems:
        if problem.document is None:
            by_object.setdefault(problem.object, []).append(problem)
    known = _Known(
        world, rollout, keys, ejections.summarize(routes, world.pods or ()), last_use.reported(world, now), now
    )
    statuses: list[ObjectStatus] = []
    release = world.settings.identity
    changed = [] if release is None else list(_left(world, release, now))
    events: list[Event] = []
    items: list[Item[Any]] = [*world.credentials, *world.clients, *world.budgets, *world.routes]
    for item in items:
        before = item.status.of(release)
        found = tuple(by_object.get(item.ref, ()))
        status, news = status_of(known.inputs(item, before, found, acceptable=item.ref in acceptable), now)
        statuses.append(status)
        events.extend(news)
        if release is not None:
            write = stored_status.serve(item.ref, item.status, known.entry(item, before, status, release), now)
            changed.extend([write] if write else [])
    return Statuses(every=tuple(statuses), changed=tuple(changed), events=tuple(events))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known beyond the objects: from the pods (``rollout``, ``ejected``, ``uses``), and the usable keys."""

    world: World
    rollout: RolloutState | None
    keys: Mapping[ObjectRef, Key]
    ejected: ejections.Ejections
    uses: Mapping[str, datetime]
    now: datetime

    def inputs(
        self, item: Item[Any], before: Entry | None, problems: tuple[Problem, ...], *, acceptable: bool
    ) -> StatusInputs:
        """Return what the status of an object is computed from; ``before`` is what this release wrote last."""
        credential = self._credential(item) if self.rollout else None
        written = None if before is None else before.report.credential
        return StatusInputs(
            ref=item.ref,
            generation=item.metadata.generation,
            before=() if before is None else before.report.conditions,
            problems=problems,
            readable=item.spec is not None,
            acceptable=acceptable,
            programmed=self.rollout.condition(item) if self.rollout else None,
            of_kind=self._of_kind(item, credential, before) if self.rollout else {},
            details=None if credential is None else credential_status.details(credential, written),
        )

    def entry(self, item: Item[Any], before: Entry | None, status: ObjectStatus, release: Release) -> Entry:
        """Return the release's entry in the status of an object."""
        used = None
        if item.ref.kind == Kind.GATEWAY_CLIENT:
            used = last_use.shown(
                self.uses.get(item.ref.full_name), None if before is None else before.report.last_used
            )
        written = None if before is None else before.report.budget
        budget = budget_status.details(item, self.world.spending, written, self.now)
        return Entry(release, Report(status.generation, status.conditions, status.credential, used, budget))

    def _of_kind(
        self, item: Item[Any], credential: credential_status.Known | None, before: Entry | None
    ) -> dict[ConditionType, ConditionState]:
        """Return the conditions that only objects of this kind have."""
        if credential is not None:
            return credential_status.states(credential, self.now)
        if item.ref.kind == Kind.BUDGET:
            return budget_status.states(item, self.world.spending, self.now)
        if item.ref.kind != Kind.MODEL_ROUTE:
            return {}
        written = () if before is None else before.report.conditions
        return ejections.states(self.ejected, item.ref.full_name, before=written, now=self.now)

    def _credential(self, item: Item[Any]) -> credential_status.Known | None:
        """Return what is known about a ClaudeCredential beyond its spec; None for the other kinds."""
        if item.ref.kind != Kind.CLAUDE_CREDENTIAL:
            return None
        key = self.keys.get(item.ref)
        return credential_status.known(item, None if key is None else key.name(item.ref), self.world)


def _left(world: World, release: Release, now: datetime) -> Iterator[StatusWrite]:
    """Yield the statuses to write of objects that this release does not serve."""
    for ref, other in world.foreign.items():
        why = f"No release serves this object: {release} does not serve the namespace any more."
        if other.release is not None:
            why = (
                f"spec.gatewayRef.name: no release `{other.release}` serves this object. Name a release that watches "
                "the namespace, or remove `gatewayRef`."
            )
        write = stored_status.leave(ref, other.status, release, generation=other.generation, why=why, now=now)
        if write is not None:
            yield write
