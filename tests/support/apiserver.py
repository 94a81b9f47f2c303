"""A real API server with nothing behind it: etcd and kube-apiserver on loopback, RBAC on, tokens for ServiceAccounts.

Needs the two programs in the folder that ``KUBEBUILDER_ASSETS`` names. No controller runs: nothing is collected, and
namespaces stay ``Active``.
"""

import json
import os
import secrets
import shutil
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.processes import Process
from tests.support.waiting import until

APPLY: Final = "application/apply-patch+yaml"
_ISSUER: Final = "https://kubernetes.default.svc"
_START_SECONDS: Final = 90.0


class ApiError(Exception):
    """An answer other than 2xx; ``message`` is what a user would see."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


def assets() -> Path:
    """The folder with the two programs. Raises AssertionError that says how to get them."""
    folder = Path(os.environ.get("KUBEBUILDER_ASSETS", "/usr/local/kubebuilder/bin"))
    missing = [name for name in ("etcd", "kube-apiserver") if not (folder / name).exists()]
    hint = "get them with `setup-envtest use -p path` and set KUBEBUILDER_ASSETS to that path"
    assert not missing, f"{folder} has no {' and no '.join(missing)}; {hint}"
    return folder


class ApiServer:
    """A context manager. Requests are made as cluster admin, or with ``token`` as whom that belongs to."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cgw-apiserver-"))
        self.token = secrets.token_urlsafe(32)
        self.port = _free_port()
        self.ca_file = self.folder / "certificates" / "apiserver.crt"
        self._etcd_port = _free_port()
        self._processes: dict[str, Process] = {}

    @property
    def url(self) -> str:
        """The base URL; ``ca_file`` is what to trust there."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def etcd_url(self) -> str:
        """The base URL of etcd, which also speaks JSON."""
        return f"http://127.0.0.1:{self._etcd_port}"

    def __enter__(self) -> Self:
        try:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            (self.folder / "accounts.key").write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            (self.folder / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
            self._run("etcd", self._etcd_arguments())
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End both processes and remove what they wrote."""
        for name in ("kube-apiserver", "etcd"):
            if name in self._processes:
                self._processes[name].stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the API server, again after ``stop``, and wait until it is ready."""
        server = self._run("kube-apiserver", self._server_arguments())

        def ready() -> bool:
            assert server.returncode is None, f"kube-apiserver ended with {server.returncode}:\n{server.output[-4000:]}"
            try:
                self.call("GET", "/readyz")
                self.call("GET", "/api/v1/namespaces/default")
            except (OSError, ApiError):
                return False
            return True

        until(ready, timeout=_START_SECONDS, what="kube-apiserver to be ready")

    def stop(self) -> None:
        """End the API server; etcd and with it all objects stay."""
        self._processes.pop("kube-apiserver").stop()

    def call(self, method: str, path: str, body: object = None, *, token: str = "", kind: str = "") -> Any:
        """One request, JSON in and out; ``kind`` is the body's type. Raises ApiError, OSError when it is away."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token or self.token}", "accept": "application/json"}
        if data is not None:
            headers["content-type"] = kind or "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._trust()) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _message(error.read())) from None
        return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def apply(self, path: str, manifest: Mapping[str, Any], *, token: str = "", manager: str = "tests") -> Any:
        """Server-side apply to the object's own path; gives it as it then is. Raises ApiError."""
        return self.call("PATCH", f"{path}?fieldManager={manager}&force=true", manifest, token=token, kind=APPLY)

    def namespace(self, name: str) -> str:
        """Make a namespace; gives its name."""
        self.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def account(self, namespace: str, name: str, *, rules: Sequence[Mapping[str, Any]] = ()) -> str:
        """Make a ServiceAccount that may do what ``rules`` say in its namespace and no more; gives a token of it."""
        meta = {"name": name, "namespace": namespace}
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        version = "rbac.authorization.k8s.io/v1"
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
        self.apply(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", account)
        self.apply(
            f"{rbac}/roles/{name}", {"apiVersion": version, "kind": "Role", "metadata": meta, "rules": list(rules)}
        )
        self.bind(namespace, role=name, account=f"{namespace}/{name}")
        return self.account_token(namespace, name)

    def bind(self, namespace: str, *, role: str, account: str) -> None:
        """Give a Role of a namespace to a ServiceAccount (``namespace/name``), maybe of another namespace."""
        home, _, name = account.partition("/")
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": role, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}],
        }
        self.apply(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{role}", binding)

    def account_token(self, namespace: str, name: str) -> str:
        """Issue a token of a ServiceAccount, as a projected volume does."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(self.call("POST", path, body)["status"]["token"])

    def kubeconfig(self, *, token: str = "") -> Path:
        """Write a kubeconfig for the admin, or for whom ``token`` belongs to."""
        trusted = {"server": self.url, "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": trusted}],
            "users": [{"name": "test", "user": {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path = self.folder / f"kubeconfig-{secrets.token_hex(4)}"
        path.write_text(yaml.safe_dump(config))
        return path

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def _run(self, name: str, arguments: Sequence[str]) -> Process:
        process = Process([str(assets() / name), *arguments], log=self.folder / f"{name}.log")
        self._processes[name] = process
        return process

    def _etcd_arguments(self) -> list[str]:
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:0",
            "--unsafe-no-fsync",
        ]

    def _server_arguments(self) -> list[str]:
        accounts = self.folder / "accounts.key"
        return [
            f"--etcd-servers={self.etcd_url}",
            f"--cert-dir={self.ca_file.parent}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}",
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--shutdown-delay-duration=0s",
        ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]
