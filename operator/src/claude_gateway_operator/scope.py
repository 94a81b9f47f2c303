"""Which namespaces are served: those that the settings list, those with certain labels, or all."""

from collections.abc import Iterator
from typing import Final

from claude_gateway.names import Kind
from claude_gateway.plan.problem import ObjectRef
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest

NAMESPACES: Final = kube.path("namespaces", api="v1")

Scope = frozenset[str] | None
"""The namespaces that are served; None is all of them."""


async def selected(connection: Kube, settings: Settings) -> Scope:
    """Return the namespaces that are served now. Raises KubeError."""
    if settings.all_namespaces:
        return None
    if not settings.namespace_selector:
        return frozenset(settings.namespaces)
    found = await connection.list(NAMESPACES, label=settings.namespace_selector, metadata_only=True)
    return frozenset((*settings.namespaces, *(item["metadata"]["name"] for item in found)))


def collections(settings: Settings, resource: str, **api: str) -> Iterator[str]:
    """Yield the paths under which a resource is listed and watched: one for each namespace, or one for the cluster."""
    if settings.clusterwide:
        yield kube.path(resource, **api)
    else:
        yield from (kube.path(resource, namespace, **api) for namespace in settings.namespaces)


def secret(manifest: Manifest) -> ObjectRef:
    """Return the reference of a listed Secret."""
    metadata = manifest["metadata"]
    return ObjectRef(kind=Kind.SECRET, namespace=metadata["namespace"], name=metadata["name"])
