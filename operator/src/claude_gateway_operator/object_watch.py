"""Watches single objects, and Secrets without their values: Kopf would need more rights for these."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway.names import LABEL_CREDENTIAL
from claude_gateway.release_names import agent_name, bundle_name
from claude_gateway_operator import scope
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import BOOKMARK, DELETED, Event, Kube, KubeError
from claude_gateway_runtime.logs import emit

SLICES_API: Final = "discovery.k8s.io/v1"
SERVICE_LABEL: Final = "kubernetes.io/service-name"
CREDENTIALS: Final = f"{LABEL_CREDENTIAL}=true"
_PAUSES: Final = (0.2, 1.0, 5.0, 15.0, 30.0)
"""Seconds before a failed watch is retried; the last value repeats."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """What to watch: a collection, and a selector of objects in it."""

    collection: str
    query: Mapping[str, str] = field(default_factory=dict)
    metadata_only: bool = False


def subjects(settings: Settings) -> list[Subject]:
    """Return everything to watch besides our own kinds."""
    own, release = settings.namespace, settings.release
    bundle = {"fieldSelector": f"metadata.name={bundle_name(release)}"}
    labelled = Subject(scope.NAMESPACES, {"labelSelector": settings.namespace_selector}, metadata_only=True)
    agents = {"labelSelector": f"{SERVICE_LABEL}={agent_name(release)}"}
    return [
        Subject(kube.path("configmaps", own, api="v1"), bundle, metadata_only=True),
        Subject(kube.path("secrets", own, api="v1"), bundle, metadata_only=True),
        Subject(kube.path("endpointslices", own, api=SLICES_API), agents),
        *(
            Subject(collection, {"labelSelector": CREDENTIALS}, metadata_only=True)
            for collection in scope.collections(settings, "secrets", api="v1")
        ),
        *([] if settings.all_namespaces or not settings.namespace_selector else [labelled]),
    ]


class Known:
    """Remembers the versions of objects that the operator wrote or saw, so that they cause no reconciliation."""

    def __init__(self) -> None:
        """Start without any known version."""
        self._versions: dict[str, str] = {}

    def note(self, manifest: Mapping[str, Any]) -> None:
        """Remember the version of an object that the operator wrote."""
        metadata = manifest.get("metadata", {})
        self._versions[metadata.get("uid", "")] = metadata.get("resourceVersion", "")

    def news(self, event: Event) -> bool:
        """Return whether an event of a watch has a version that we neither wrote nor saw."""
        if event.type == BOOKMARK:
            return False
        uid = event.object["metadata"].get("uid", "")
        if event.type == DELETED:
            self._versions.pop(uid, None)
            return True
        known = self._versions.get(uid)
        self._versions[uid] = event.version
        return known != event.version


async def follow(connection: Kube, subject: Subject, *, ring: Callable[[], None], known: Known) -> None:
    """Ring for each change of a subject, until cancelled; restarts a watch that ends or fails."""
    failures = 0
    while True:
        try:
            async with connection.watch(
                subject.collection, subject.query, metadata_only=subject.metadata_only
            ) as events:
                async for event in events:
                    failures = 0
                    if known.news(event):
                        ring()
        except KubeError as error:
            # Most watches restart at the first try. A watch that keeps failing is logged once, as a warning.
            level = (logging.INFO, logging.WARNING, logging.DEBUG)[min(failures, 2)]
            emit(_log, "watch_failed", level=level, error=str(error), failures=failures + 1)
            failures += 1
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
