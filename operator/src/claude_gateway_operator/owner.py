"""The owner of the bundle: the operator's own Deployment, so that an uninstall removes what the operator created.

The first client has no owner. Its key must survive a Deployment that is replaced or restored with another uid.
"""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.names import FIELD_MANAGER, GROUP
from claude_gateway.release_names import operator_name
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest

DEPLOYMENTS_API: Final = "apps/v1"
_MANAGED: Final = {"app.kubernetes.io/managed-by": FIELD_MANAGER}


class Owner:
    """The operator's Deployment; ``uid`` is None if it does not exist, as when run outside of a cluster."""

    def __init__(self, *, namespace: str, release: str, uid: str | None) -> None:
        """Identify the owner by namespace, release and uid."""
        self._namespace = namespace
        self._release = release
        self.uid = uid

    @classmethod
    async def find(cls, connection: Kube, settings: Settings) -> "Owner":
        """Find the Deployment. Raises KubeError."""
        name = operator_name(settings.release)
        found = await connection.get(kube.path("deployments", settings.namespace, name, api=DEPLOYMENTS_API))
        uid = None if found is None else str(found["metadata"]["uid"])
        return cls(namespace=settings.namespace, release=settings.release, uid=uid)

    def unowned(self, name: str, *, labels: Mapping[str, str] | None = None) -> Manifest:
        """Return the metadata of an object to create that outlives the owner."""
        return {
            "name": name,
            "namespace": self._namespace,
            "labels": {**_MANAGED, f"{GROUP}/release": self._release, **(labels or {})},
        }

    def metadata(self, name: str) -> Manifest:
        """Return the metadata of an object to create, with an owner reference if the owner's uid is known."""
        metadata = self.unowned(name)
        if self.uid is not None:
            metadata["ownerReferences"] = [
                {
                    "apiVersion": DEPLOYMENTS_API,
                    "kind": "Deployment",
                    "name": operator_name(self._release),
                    "uid": self.uid,
                }
            ]
        return metadata

    def made(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether this release's operator created an object, under whichever Deployment."""
        labels = metadata.get("labels") or {}
        return bool(labels.get(f"{GROUP}/release") == self._release)

    def owns(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether this release's operator created an object, under the current Deployment."""
        owners = [reference.get("uid") for reference in metadata.get("ownerReferences") or ()]
        return self.made(metadata) and (self.uid is None or self.uid in owners)
