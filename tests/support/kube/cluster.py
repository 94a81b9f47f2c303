"""What a test of the operator says and asks of a namespace: objects put, bundles read back, conditions."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.support.kube.apiserver import ApiServer, Manifest

from claude_gateway.api.kinds import KINDS
from claude_gateway.contract.bundle import Bundle, BundleError, Packed, unpack
from claude_gateway.contract.policy import Policy
from claude_gateway.names import API_VERSION
from claude_gateway.release_names import REPORT_TOKEN, agent_name, bundle_name

_PLURALS = {str(kind.kind): kind.plural for kind in KINDS}
DISCOVERY = "discovery.k8s.io/v1"


def url(kind: str, namespace: str, name: str) -> str:
    """The path of one of our objects, or of a Secret."""
    if kind == "Secret":
        return f"/api/v1/namespaces/{namespace}/secrets/{name}"
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{_PLURALS[kind]}/{name}"


class Listening(Protocol):
    """An agent that can be asked: the address that an EndpointSlice has, and its port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """One release's namespace."""

    api: ApiServer
    home: str
    release: str = "cg"

    def put(self, *manifests: Manifest, namespace: str | None = None) -> None:
        """Apply objects, in the release's own namespace unless named otherwise."""
        for manifest in manifests:
            within = namespace or self.home
            metadata = {k: v for k, v in manifest["metadata"].items() if k in ("name", "labels")}
            body = {**manifest, "metadata": {**metadata, "namespace": within}}
            self.api.apply(url(manifest["kind"], within, metadata["name"]), body)

    def drop(self, kind: str, name: str, *, namespace: str | None = None) -> None:
        """Delete an object."""
        self.api.delete(url(kind, namespace or self.home, name))

    def config(self) -> Manifest | None:
        """The bundle's ConfigMap."""
        found: Manifest | None = self.api.get(f"/api/v1/namespaces/{self.home}/configmaps/{bundle_name(self.release)}")
        return found

    def secret(self) -> Manifest | None:
        """The bundle's Secret."""
        found: Manifest | None = self.api.get(f"/api/v1/namespaces/{self.home}/secrets/{bundle_name(self.release)}")
        return found

    def entries(self) -> set[str]:
        """Names of the bundle Secret's entries, the report token's left out."""
        return set((self.secret() or {}).get("data") or {}) - {REPORT_TOKEN}

    def token(self) -> str:
        """The token that agents ask for."""
        return base64.b64decode((self.secret() or {})["data"][REPORT_TOKEN]).decode()

    def bundle(self) -> Bundle | None:
        """The bundle as an agent takes it; None while it is not whole."""
        config, secret = self.config(), self.secret()
        if config is None or secret is None:
            return None
        public = {name: text.encode() for name, text in (config.get("data") or {}).items()}
        public |= _decoded(config.get("binaryData"))
        try:
            return unpack(Packed(config=public, secrets=_decoded(secret.get("data"))))
        except BundleError:
            return None

    def policy(self) -> Policy:
        """The policy in the bundle; an empty one while there is none."""
        bundle = self.bundle()
        return Policy() if bundle is None else Policy.model_validate_json(bundle.gateway)

    def routes(self) -> set[str]:
        """Names of the routes in the bundle that can serve."""
        return {route.name for route in self.policy().routes if route.targets}

    def clients(self) -> set[str]:
        """Names of the clients in the bundle."""
        return {client.name for client in self.policy().clients}

    def revision(self) -> str | None:
        """The revision of the bundle."""
        bundle = self.bundle()
        return None if bundle is None else bundle.meta.revision

    def condition(self, kind: str, name: str, question: str, *, namespace: str | None = None) -> tuple[str, str]:
        """Status and reason of one condition; empty while it is not there."""
        found = self.api.get(url(kind, namespace or self.home, name)) or {}
        for condition in found.get("status", {}).get("conditions", ()):
            if condition["type"] == question:
                return condition["status"], condition["reason"]
        return "", ""

    def message(self, kind: str, name: str, question: str, *, namespace: str | None = None) -> str:
        """Message of one condition; empty while it is not there."""
        found = self.status(kind, name, namespace=namespace).get("conditions", ())
        return next((condition["message"] for condition in found if condition["type"] == question), "")

    def status(self, kind: str, name: str, *, namespace: str | None = None) -> Manifest:
        """The whole status of an object."""
        found: Manifest = self.api.get(url(kind, namespace or self.home, name)) or {}
        status: Manifest = found.get("status", {})
        return status

    def pods(self, agent: Listening, ready: Sequence[bool] = (True,)) -> None:
        """Say that there are pods, all with one agent."""
        service = agent_name(self.release)
        endpoints = [
            {
                "addresses": [agent.address],
                "conditions": {"ready": is_ready},
                "targetRef": {"kind": "Pod", "name": f"pod-{index}", "namespace": self.home},
            }
            for index, is_ready in enumerate(ready)
        ]
        self.api.apply(
            f"/apis/{DISCOVERY}/namespaces/{self.home}/endpointslices/{service}",
            {
                "apiVersion": DISCOVERY,
                "kind": "EndpointSlice",
                "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
                "addressType": "IPv4",
                "ports": [{"name": "agent", "port": agent.port}],
                "endpoints": endpoints,
            },
        )


def _decoded(entries: Mapping[str, Any] | None) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in (entries or {}).items()}
