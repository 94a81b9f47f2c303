"""Who owns what the operator makes: its own Deployment, so that an uninstall leaves nothing behind."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.names import FIELD_MANAGER, GROUP, operator_name
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest

DEPLOYMENTS_API: Final = "apps/v1"
_MANAGED: Final = {"app.kubernetes.io/managed-by": FIELD_MANAGER}


class Owner:
    """The operator's Deployment; ``uid`` is None where there is none, as outside of a cluster."""

    def __init__(self, *, namespace: str, release: str, uid: str | None) -> None:
        """Name the owner."""
        self._namespace = namespace
        self._release = release
        self.uid = uid

    @classmethod
    async def find(cls, connection: Kube, settings: Settings) -> "Owner":
        """Look for the Deployment. Raises KubeError."""
        name = operator_name(settings.release)
        found = await connection.get(kube.path("deployments", settings.namespace, name, api=DEPLOYMENTS_API))
        uid = None if found is None else str(found["metadata"]["uid"])
        return cls(namespace=settings.namespace, release=settings.release, uid=uid)

    def metadata(self, name: str, *, labels: Mapping[str, str] | None = None) -> Manifest:
        """Give the metadata of something that we make; never with a uid that is not known for sure."""
        metadata: Manifest = {
            "name": name,
            "namespace": self._namespace,
            "labels": {**_MANAGED, f"{GROUP}/release": self._release, **(labels or {})},
        }
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

    def owns(self, metadata: Mapping[str, Any]) -> bool:
        """Whether an object is one that this release's operator made, under the Deployment of now."""
        labels = metadata.get("labels") or {}
        mine = labels.get(f"{GROUP}/release") == self._release
        owners = [reference.get("uid") for reference in metadata.get("ownerReferences") or ()]
        return mine and (self.uid is None or self.uid in owners)
