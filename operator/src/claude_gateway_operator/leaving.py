"""``python -m claude_gateway_operator.leaving``: ends this release's claims in statuses before it stops serving them.

The chart runs it as a hook, while the old operator and its rights are still there: before an upgrade that takes
namespaces out of ``operator.watchNamespaces`` or stops serving unlisted ones, and before an uninstall
(``--uninstall``). Afterwards the release has no right to write there. An operator with rights in the whole cluster
ends the claims of namespaces that it no longer serves by itself.

The running operator must not write the claims again. So a note in the bundle's ConfigMap names the namespaces that the
release leaves. It expires, in case the upgrade fails and the operator stays.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import GROUP
from claude_gateway.plan.manifests import reference
from claude_gateway.plan.status.stored_status import Release, StatusWrite, leave, read_status
from claude_gateway.release_names import bundle_name, operator_name, status_manager
from claude_gateway_operator import kubeconfig, status_writer
from claude_gateway_operator.owner import DEPLOYMENTS_API
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube, logs
from claude_gateway_runtime.kube import Kube, KubeError, NotFound
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.settings import load

ANNOTATION: Final = f"{GROUP}/leaving"
NOTE_SECONDS: Final = 300.0
"""How long the running operator obeys the note: longer than an upgrade takes to replace it."""
_PASSES: Final = 5
_PAUSE_SECONDS: Final = 2.0
_PREFIX: Final = "CLAUDE_GATEWAY_OPERATOR_"

_log: Final = logging.getLogger("claude_gateway_operator.leaving")


def noted(metadata: Mapping[str, Any], now: datetime) -> frozenset[str]:
    """Return the namespaces that a note names; none if there is no note, or if it is too old or malformed."""
    try:
        note = json.loads((metadata.get("annotations") or {})[ANNOTATION])
        until = datetime.fromisoformat(note["until"])
        namespaces = frozenset(str(name) for name in note["namespaces"])
    except (KeyError, TypeError, ValueError):
        return frozenset()
    return namespaces if until.tzinfo is not None and now < until else frozenset()


def note(namespaces: frozenset[str], now: datetime) -> str:
    """Return the annotation's value."""
    until = now + timedelta(seconds=NOTE_SECONDS)
    return json.dumps({"namespaces": sorted(namespaces), "until": until.isoformat()})


@dataclass(frozen=True, slots=True)
class Watched:
    """What an operator's Deployment watches; ``clusterwide`` says that it serves namespaces that it does not list."""

    namespaces: frozenset[str]
    clusterwide: bool


def watched(deployment: Mapping[str, Any] | None, home: str) -> Watched:
    """Return what an operator's Deployment watches."""
    template = (deployment or {}).get("spec", {}).get("template", {})
    containers = template.get("spec", {}).get("containers") or ()
    values = {
        str(variable.get("name", "")).removeprefix(_PREFIX): variable.get("value") or ""
        for container in containers
        for variable in container.get("env") or ()
    }
    names = {name.strip() for name in values.get("WATCH_NAMESPACES", "").split(",")}
    clusterwide = values.get("ALL_NAMESPACES", "") == "true" or bool(values.get("NAMESPACE_SELECTOR"))
    return Watched(frozenset(names - {""} | {home}), clusterwide)


async def run(connection: Kube, settings: Settings, *, uninstall: bool) -> None:
    """End all claims in the namespaces that this release leaves. Raises KubeError."""
    url = kube.path("deployments", settings.namespace, operator_name(settings.release), api=DEPLOYMENTS_API)
    live = watched(await connection.get(url), settings.namespace)
    if settings.clusterwide and not uninstall:
        return
    release = Release(settings.namespace, settings.release)
    before = live.namespaces
    if live.clusterwide:
        before |= await _claimed(connection, release)
    left = before | set(settings.namespaces) if uninstall else before - set(settings.namespaces)
    if not left:
        return
    await _note(connection, settings, left)
    # The operator may be in the middle of writing what it decided before it saw the note.
    for attempt in range(_PASSES):
        written = await _pass(connection, release, sorted(left))
        emit(_log, "left", namespaces=sorted(left), objects=written)
        if attempt and not written:
            return
        await asyncio.sleep(_PAUSE_SECONDS)


async def _claimed(connection: Kube, release: Release) -> frozenset[str]:
    """Return all namespaces with objects whose status has an entry of the release. Raises KubeError."""
    listed = [await connection.list(kube.path(kind.plural)) for kind in KINDS]
    return frozenset(
        manifest["metadata"]["namespace"]
        for found in listed
        for manifest in found
        if read_status(manifest).of(release) is not None
    )


async def _note(connection: Kube, settings: Settings, left: frozenset[str]) -> None:
    name = bundle_name(settings.release)
    url = kube.path("configmaps", settings.namespace, name, api="v1")
    if await connection.get(url, metadata_only=True) is None:
        return
    metadata = {"name": name, "namespace": settings.namespace}
    annotations = {ANNOTATION: note(left, datetime.now(UTC))}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "annotations": annotations}}
    await connection.apply(url, body, manager=f"{status_manager(settings.namespace, settings.release)[:119]}/leaving")


async def _pass(connection: Kube, release: Release, namespaces: list[str]) -> int:
    """Remove every entry of the release; returns how many there were. Objects that fail are tried in the next pass."""
    writes: list[StatusWrite] = []
    for namespace in namespaces:
        for kind in KINDS:
            try:
                found = await connection.list(kube.path(kind.plural, namespace))
            except KubeError as error:
                emit(_log, "not_left", level=logging.WARNING, namespace=namespace, error=str(error))
                continue
            writes += filter(None, (_left({**manifest, "kind": str(kind.kind)}, release) for manifest in found))
    gate = asyncio.Semaphore(status_writer.AT_ONCE)
    manager = status_manager(release.namespace, release.name)

    async def of(status: StatusWrite) -> None:
        async with gate:
            try:
                await status_writer.write(connection, status, manager=manager)
            except NotFound:
                return
            except KubeError as error:
                emit(_log, "status_not_written", level=logging.WARNING, object=str(status.object), error=str(error))

    await asyncio.gather(*map(of, writes))
    return len(writes)


def _left(manifest: Mapping[str, Any], release: Release) -> StatusWrite | None:
    stored = read_status(manifest)
    if stored.of(release) is None:
        return None
    why = f"No release serves this object: {release} was uninstalled or does not watch the namespace any more."
    generation = manifest["metadata"].get("generation", 0)
    return leave(reference(manifest), stored, release, generation=generation, why=why, now=datetime.now(UTC))


async def _main(settings: Settings, *, uninstall: bool) -> None:
    async with Kube(await kubeconfig.access()) as connection:
        await run(connection, settings, uninstall=uninstall)


def main() -> int:
    """Run once; returns 2 for invalid settings, otherwise 0: a leftover status must not block an uninstall."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uninstall", action="store_true", help="leave every namespace")
    arguments = parser.parse_args()
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    try:
        asyncio.run(_main(settings, uninstall=arguments.uninstall))
    except (KubeError, OSError) as error:
        emit(_log, "not_left", level=logging.WARNING, error=str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
