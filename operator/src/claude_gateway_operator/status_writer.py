"""Writes statuses and Events in the background, so that writing thousands of them does not delay an edit."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import API_VERSION, FIELD_MANAGER
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.status.status import Event
from claude_gateway.plan.status.stored_status import Condition, Report, StatusWrite
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, KubeError, Manifest, NotFound, Retryable
from claude_gateway_runtime.logs import emit

AT_ONCE: Final = 16
"""Concurrent writes; more are not faster."""
EVENTS: Final = 100
"""Maximum number of Events per reconciliation, warnings first; the conditions say the same of every object."""
_AGAIN_SECONDS: Final = 5.0

_PLURALS: Final = {str(kind.kind): kind.plural for kind in KINDS}
_log: Final = logging.getLogger(__name__)


class StatusWriter:
    """Writes the newest statuses and Events that were enqueued."""

    def __init__(
        self, connection: Kube, *, manager: str, ring: Callable[[], None], wrote: Callable[[str, bool], None]
    ) -> None:
        """``manager`` is the field manager of this release's entries.

        ``wrote`` is called after each write with the kind of write and whether it succeeded.
        """
        self._kube = connection
        self._manager = manager
        self._ring = ring
        self._wrote = wrote
        self._statuses: dict[ObjectRef, StatusWrite] = {}
        self._events: list[Manifest] = []
        self._enqueued = asyncio.Event()

    def enqueue(self, changed: Iterable[StatusWrite], events: Iterable[Manifest]) -> None:
        """Replace the statuses that are still to be written, because ``changed`` is complete; Events are added."""
        self._statuses = {status.object: status for status in changed}
        self._events = [*self._events, *itertools.islice(events, EVENTS)][:EVENTS]
        self._enqueued.set()

    async def run(self) -> None:
        """Write what was enqueued, until cancelled."""
        while True:
            await self._enqueued.wait()
            self._enqueued.clear()
            failed = not all(await asyncio.gather(*(self._work() for _ in range(AT_ONCE))))
            if failed:
                await asyncio.sleep(_AGAIN_SECONDS)
                self._ring()

    async def _work(self) -> bool:
        """Write the queued objects one by one; returns False if the API server fails."""
        while self._statuses or self._events:
            if not self._statuses:
                await self._event(self._events.pop())
            elif not await self._status(self._statuses.pop(next(iter(self._statuses)))):
                # The next reconciliation enqueues again what was not written.
                return False
        return True

    async def _status(self, status: StatusWrite) -> bool:
        try:
            await write(self._kube, status, manager=self._manager)
        except NotFound:
            return True
        except KubeError as error:
            self._wrote("status", False)
            emit(_log, "status_not_written", level=logging.WARNING, object=str(status.object), error=str(error))
            return not isinstance(error, Retryable)
        self._wrote("status", True)
        return True

    async def _event(self, event: Manifest) -> None:
        try:
            await self._kube.create(kube.path("events", event["metadata"]["namespace"], api="v1"), event)
        except KubeError as error:
            self._wrote("event", False)
            emit(_log, "event_not_written", level=logging.WARNING, reason=event["reason"], error=str(error))
            return
        self._wrote("event", True)


async def write(connection: Kube, status: StatusWrite, *, manager: str) -> None:
    """Write a status; ``manager`` is the field manager of this release's entry. Raises KubeError.

    A release that leaves removes its entry by applying nothing. The summary must stay, so it belongs to the manager
    that all releases share.
    """
    ref = status.object
    url = f"{kube.path(_PLURALS[ref.kind], ref.namespace, ref.name)}/status"
    if status.entry is not None:
        await connection.apply(url, document(status), manager=manager)
        return
    await connection.apply(url, document(status))
    await connection.apply(url, _manifest(ref, {}), manager=manager)


def document(status: StatusWrite) -> Manifest:
    """Return the manifest that applies a status."""
    fields = _report(status.summary)
    if status.entry is not None:
        release = status.entry.release
        fields["gateways"] = [{"namespace": release.namespace, "name": release.name, **_report(status.entry.report)}]
    manifest = _manifest(status.object, fields)
    if status.version is not None:
        manifest["metadata"]["resourceVersion"] = status.version
    return manifest


def _manifest(ref: ObjectRef, status: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "status": status,
    }


def _report(report: Report) -> Manifest:
    fields: Manifest = {"observedGeneration": report.generation, "conditions": _conditions(report.conditions)}
    if report.credential is not None:
        fields["credential"] = report.credential.document()
    if report.last_used is not None:
        fields["lastUsed"] = report.last_used
    if report.budget is not None:
        fields["budget"] = report.budget.document()
    return fields


def _conditions(conditions: Iterable[Condition]) -> list[Manifest]:
    return [
        {
            "type": condition.type,
            "status": condition.status,
            "observedGeneration": condition.observed_generation,
            "lastTransitionTime": condition.last_transition_time,
            "reason": condition.reason,
            "message": condition.message,
        }
        for condition in conditions
    ]


def event(
    about: Mapping[str, Any], *, kind: str, reason: str, message: str, now: datetime, name: str, instance: str
) -> Manifest:
    """Return the manifest of an Event; ``kind`` is ``Normal`` or ``Warning``, ``name`` is the Event's own name.

    ``instance`` says which release reports it.
    """
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    namespace = about["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": dict(about),
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": instance[:128],
    }


def ordered(events: Iterable[Event]) -> list[Event]:
    """Sort Events by importance, warnings first, then by object, so that the omitted ones do not vary by chance."""
    return sorted(events, key=lambda event: (event.type != "Warning", event.object))
