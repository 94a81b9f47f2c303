"""The two objects that hold a bundle, as the operator writes them, and what a pod has to read them."""

import base64
import gzip
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.kube.apiserver import ApiServer
from tests.support.processes.agent import Agent, running

from claude_gateway.contract import folder
from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway.contract.bundle import Bundle, pack
from claude_gateway.release_names import REPORT_TOKEN
from claude_gateway_proxy.agent import rights
from claude_gateway_runtime.kube import Cluster

NAME: Final = "cg-bundle"
ALLOTMENT: Final = "cg-allotment"
POD: Final = "cg-proxy-1"
ACCOUNT: Final = "cg-proxy"
REPORT: Final = "report-token-of-the-test"
_RBAC: Final = "rbac.authorization.k8s.io"


def _texts(entries: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(data).decode() for name, data in entries.items()}


@dataclass(frozen=True, slots=True)
class Bundled:
    """One namespace; ``home`` is a folder for what the pod has."""

    api: ApiServer
    namespace: str
    home: Path

    @property
    def token_file(self) -> Path:
        """The ServiceAccount's token."""
        return self.home / "token"

    def cluster(self, *, port: int) -> Cluster:
        """The API server as the pod finds it."""
        ca_file = self.api.home / "certs" / "apiserver.crt"
        return Cluster(url=f"https://127.0.0.1:{port}", token_file=self.token_file, ca_file=ca_file)

    def agent(self, *, port: int = 0, log_level: str = "info") -> AbstractAsyncContextManager[Agent]:
        """The agent, as the chart starts it; ``port`` is another way to the API server."""
        environment = {
            "CLAUDE_GATEWAY_SOURCE": "kubernetes",
            "CLAUDE_GATEWAY_LOG_LEVEL": log_level,
            "CLAUDE_GATEWAY_RUN_DIR": str(self.home / "run"),
            "CLAUDE_GATEWAY_BUNDLE_NAME": NAME,
            "CLAUDE_GATEWAY_ALLOTMENT_NAME": ALLOTMENT,
            "CLAUDE_GATEWAY_POD_NAME": POD,
            "CLAUDE_GATEWAY_NAMESPACE_FILE": str(self.home / "namespace"),
            "CLAUDE_GATEWAY_TOKEN_FILE": str(self.token_file),
            "CLAUDE_GATEWAY_CA_FILE": str(self.cluster(port=0).ca_file),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(port or self.api.port),
        }
        return running(environment, token=REPORT)

    def account(self) -> str:
        """Make the ServiceAccount with its rights; returns a token of it."""
        rbac = f"/apis/{_RBAC}/v1/namespaces/{self.namespace}"
        role = {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "rules": rights.rules(NAME, ALLOTMENT)}
        binding = {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}],
        }
        self._apply("serviceaccounts", ACCOUNT, {"kind": "ServiceAccount"})
        self.api.apply(f"{rbac}/roles/{ACCOUNT}", {**role, "metadata": {"name": ACCOUNT}})
        self.api.apply(f"{rbac}/rolebindings/{ACCOUNT}", {**binding, "metadata": {"name": ACCOUNT}})
        return self.api.token(self.namespace, ACCOUNT)

    def renew_account(self) -> str:
        """Replace the ServiceAccount, which invalidates its token. Returns a new one."""
        self.delete("serviceaccounts", ACCOUNT)
        return self.account()

    def secret(self, bundle: Bundle, *, report_token: str = REPORT) -> None:
        """Write the secret part."""
        data = _texts({**pack(bundle).secrets, REPORT_TOKEN: report_token.encode()})
        self._apply("secrets", NAME, {"kind": "Secret", "data": data})

    def config(self, bundle: Bundle) -> None:
        """Write the public part."""
        packed = pack(bundle).config
        plain = {name: data.decode() for name, data in packed.items() if not name.endswith(".gz")}
        zipped = _texts({name: data for name, data in packed.items() if name.endswith(".gz")})
        self._apply("configmaps", NAME, {"kind": "ConfigMap", "data": plain, "binaryData": zipped})

    def publish(self, bundle: Bundle) -> str:
        """Write both, the Secret first as the contract says; returns the revision."""
        self.secret(bundle)
        self.config(bundle)
        return bundle.meta.revision

    def allot(self, allotments: Allotments, *, packed: bool = False) -> None:
        """Write what is divided between the pods; ``packed`` as the operator does where it is large."""
        data = allotments.model_dump_json(by_alias=True).encode()
        plain = {} if packed else {ALLOTMENT_JSON: data.decode()}
        zipped = _texts({f"{ALLOTMENT_JSON}.gz": gzip.compress(data)}) if packed else {}
        self._apply("configmaps", ALLOTMENT, {"kind": "ConfigMap", "data": plain, "binaryData": zipped})

    def delete(self, resource: str, name: str = NAME) -> None:
        """Delete one of the objects."""
        self.api.delete(f"/api/v1/namespaces/{self.namespace}/{resource}/{name}")

    def kept(self) -> str | None:
        """The revision in the run directory."""
        return folder.current(self.home / "run" / "bundle")

    def _apply(self, resource: str, name: str, manifest: Mapping[str, Any]) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/{resource}/{name}"
        self.api.apply(path, {"apiVersion": "v1", "metadata": {"name": name}, **manifest})
