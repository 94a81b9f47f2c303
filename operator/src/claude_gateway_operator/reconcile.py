"""One reconciliation of everything: gather, decide, write. Objects that are up to date are not written."""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from claude_gateway.names import API_VERSION, Reason
from claude_gateway.plan.budgets import budget_status
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Item, World
from claude_gateway.release_names import agent_name, bundle_name
from claude_gateway_operator import rollout, status_writer
from claude_gateway_operator.allotter import Allotter
from claude_gateway_operator.bootstrap import Bootstrap
from claude_gateway_operator.claude_code import ClaudeCode
from claude_gateway_operator.gather import Gatherer
from claude_gateway_operator.metrics import Metrics
from claude_gateway_operator.object_watch import SERVICE_LABEL, SLICES_API
from claude_gateway_operator.reports import Endpoint, Reports, endpoints
from claude_gateway_operator.revisions import Revisions
from claude_gateway_operator.settings import Settings
from claude_gateway_operator.status_writer import StatusWriter
from claude_gateway_operator.store import Store
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest
from claude_gateway_runtime.logs import emit

ASK_SECONDS: Final = 2.0
"""How long a reconciliation waits for the first report of a new pod."""

_SHOWN: Final = 5
"""The most namespaces that a message names."""

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Memory:
    """State that one reconciliation passes to the next.

    ``began``: a reconciliation has read the stored bundle. ``full``: the bundle had no room for an object.
    """

    revisions: Revisions = field(default_factory=Revisions)
    began: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Reconciles everything each time it is called."""

    connection: Kube
    settings: Settings
    gatherer: Gatherer
    store: Store
    reports: Reports
    status_writer: StatusWriter
    bootstrap: Bootstrap
    claude_code: ClaudeCode
    allotter: Allotter
    metrics: Metrics
    memory: Memory = field(default_factory=Memory)

    async def __call__(self) -> float | None:
        """Reconcile once; returns the seconds until the next reconciliation is due without a ring. Raises KubeError."""
        began = time.monotonic()
        if self.settings.bootstrap_enabled or not self.memory.began:
            await self.bootstrap.ensure()
        gathering = self.gatherer.gather(claude_code_key=await self.claude_code.key())
        world, stored, pods = await asyncio.gather(gathering, self.store.read(), self._pods())
        if stored.token:
            self.reports.follow(pods, stored.token)
            await self.reports.settle(ASK_SECONDS)
        if not self.memory.began and (found := stored.slices()) is not None:
            self.memory.revisions.found(*found)
        self.memory.began = True
        world = replace(
            world,
            pods=tuple(self.reports.states(pods)),
            slices=self.memory.revisions.known(),
            spending=self.allotter.spending,
        )
        now = datetime.now(UTC)
        plan = await asyncio.to_thread(decide, world, now)
        revision = plan.bundle.meta.revision
        written = await self.store.write(plan.packed, stored, prune=plan.fleet.settled == revision)
        self.reports.follow(pods, written.token)
        self.allotter.update(plan.policy.budgets, pods, budget_status.known(world))
        self._remember(revision, plan)
        claimed = [status for status in plan.changed if status.object.namespace not in stored.leaving]
        self.status_writer.enqueue(claimed, self._events(world, plan, now))
        await self.claude_code.write(plan)
        await rollout.roll(self.connection, self.settings)
        seconds = time.monotonic() - began
        self.metrics.show(plan)
        self.metrics.reconciled(seconds)
        emit(
            _log,
            "reconciled",
            level=logging.DEBUG,
            seconds=round(seconds, 3),
            changed=len(plan.changed),
            ready_pods=plan.fleet.ready,
        )
        return None if plan.wake_at is None else max(0.0, (plan.wake_at - now).total_seconds())

    async def _pods(self) -> list[Endpoint]:
        collection = kube.path("endpointslices", self.settings.namespace, api=SLICES_API)
        label = f"{SERVICE_LABEL}={agent_name(self.settings.release)}"
        return endpoints(await self.connection.list(collection, label=label))

    def _remember(self, revision: str, plan: Plan) -> None:
        revisions = self.memory.revisions
        if revision != revisions.newest:
            emit(_log, "bundle_written", revision=revision, before=revisions.newest, problems=len(plan.problems))
        revisions.wrote(revision, plan.slices, served=plan.fleet.served)

    def _events(self, world: World, plan: Plan, now: datetime) -> list[Manifest]:
        """Return the Events to write, warnings first; includes one if the bundle just became full."""
        found: list[Manifest] = []
        left_out = [problem.object for problem in plan.problems if problem.reason == Reason.TOO_LARGE]
        if left_out and not self.memory.full:
            namespaces = sorted({ref.namespace for ref in left_out})
            shown = ", ".join(namespaces[:_SHOWN]) + (", ..." if len(namespaces) > _SHOWN else "")
            message = f"Full: {len(left_out)} objects are left out, the newest of {shown}. Their conditions say so."
            about = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "namespace": self.settings.namespace,
                "name": bundle_name(self.settings.release),
            }
            found.append(self._event(about, "Warning", Reason.TOO_LARGE, message, now))
            emit(_log, "bundle_full", level=logging.ERROR, left_out=len(left_out), namespaces=len(namespaces))
        self.memory.full = bool(left_out)
        wanted = status_writer.ordered(plan.events)[: status_writer.EVENTS]
        uids = _uids(world, {event.object for event in wanted})
        for event in wanted:
            ref = event.object
            about = {
                "apiVersion": API_VERSION,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": uids[ref],
            }
            found.append(self._event(about, event.type, event.reason, event.message, now))
        return found

    def _event(self, about: Mapping[str, Any], kind: str, reason: str, message: str, now: datetime) -> Manifest:
        name = f"{about['name'][:200]}.{secrets.token_hex(8)}"
        instance = f"{self.settings.namespace}/{self.settings.release}"
        return status_writer.event(
            about, kind=kind, reason=reason, message=message, now=now, name=name, instance=instance
        )


def _uids(world: World, refs: set[ObjectRef]) -> dict[ObjectRef, str]:
    found: tuple[Item[Any], ...] = (*world.routes, *world.credentials, *world.clients, *world.budgets)
    return {item.ref: item.metadata.uid for item in found if item.ref in refs}
