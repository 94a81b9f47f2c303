"""A real API server of the test's own: etcd and kube-apiserver as plain processes, no node, no docker."""

import base64
import copy
import json
import os
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from tests.support.processes.ports import free_port

Manifest = dict[str, Any]

APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """What the API server refused; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        """Say what it said."""
        super().__init__(message)
        self.status = status
        self.message = message


def assets() -> Path:
    """The folder with the two programs. Raises RuntimeError that says how to get them."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    folder = Path(named) if named else None
    if folder is not None and all((folder / program).exists() for program in ("etcd", "kube-apiserver")):
        return folder
    raise RuntimeError(
        "these tests need etcd and kube-apiserver: set KUBEBUILDER_ASSETS to a folder that holds both, for example "
        'export KUBEBUILDER_ASSETS="$(go run sigs.k8s.io/controller-runtime/tools/setup-envtest@latest use -p path)"'
    )


class ApiServer:
    """Runs from ``with`` to its end; ``home`` takes its data, its certificate and kubeconfigs."""

    def __init__(self, home: Path) -> None:
        """Nothing runs yet."""
        self.home = home
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._admin = secrets.token_urlsafe(24)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._etcd = (free_port(), free_port())
        self._tls: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        programs = assets()
        client, peer = self._etcd
        self._start(
            [
                str(programs / "etcd"),
                f"--data-dir={self.home / 'etcd'}",
                f"--listen-client-urls=http://127.0.0.1:{client}",
                f"--advertise-client-urls=http://127.0.0.1:{client}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            ],
            "etcd",
        )
        key = self.home / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (self.home / "tokens.csv").write_text(f'{self._admin},admin,admin,"system:masters"\n')
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Start the API server alone, as after ``stop``, and wait until it answers."""
        key = self.home / "sa.key"
        self._start(
            [
                str(assets() / "kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self._etcd[0]}",
                f"--secure-port={self.port}",
                "--bind-address=127.0.0.1",
                # Otherwise it looks for a default route, and there may be none; and it needs no Service of its own.
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--cert-dir={self.home / 'certs'}",
                f"--token-auth-file={self.home / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-signing-key-file={key}",
                f"--service-account-key-file={key}",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--disable-admission-plugins=ServiceAccount",
                "--shutdown-delay-duration=0s",
            ],
            "apiserver",
        )
        certificate = self.home / "certs" / "apiserver.crt"
        end = time.monotonic() + 60
        while True:
            try:
                self._tls = ssl.create_default_context(cafile=str(certificate))
                self.request("GET", "/readyz")
                break
            except (OSError, ApiError):
                if time.monotonic() > end or self._processes[-1].poll() is not None:
                    raise RuntimeError((self.home / "apiserver.log").read_text()[-3000:]) from None
                time.sleep(0.1)

    def stop(self) -> None:
        """End the API server alone; etcd keeps what it had."""
        process = self._processes.pop()
        process.kill()
        process.wait(30)

    def __exit__(self, *_: object) -> None:
        # Its graceful end waits for every watch to end; nothing here is worth that.
        for process in reversed(self._processes):
            process.kill()
            process.wait(30)

    def _start(self, command: list[str], name: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def kubeconfig(self, token: str | None = None, *, name: str = "admin") -> Path:
        """Write a kubeconfig for a token, or for the administrator."""
        certificate = (self.home / "certs" / "apiserver.crt").read_bytes()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority-data": base64.b64encode(certificate).decode(),
                    },
                }
            ],
            "users": [{"name": name, "user": {"token": token or self._admin}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        path = self.home / f"{name}.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, content: str = "application/json"
    ) -> Any:
        """Make one request as the administrator. Raises ApiError with what the API server says."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self._admin}", "content-type": content},
        )
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            message = json.loads(said).get("message", said) if said.startswith("{") else said
            raise ApiError(error.code, message) from None
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def get(self, path: str) -> Any:
        """One object or list; None if it is not there."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def serves(self, path: str) -> bool:
        """Whether a LIST of a collection is answered already."""
        try:
            self.request("GET", path)
        except ApiError as error:
            if error.status in (404, 429, 500, 503):
                return False
            raise
        return True

    def create(self, path: str, body: Mapping[str, Any]) -> Manifest:
        """Create an object in a collection."""
        made: Manifest = self.request("POST", path, body)
        return made

    def apply(self, path: str, body: Mapping[str, Any], *, manager: str = "test", force: bool = True) -> Manifest:
        """Apply an object."""
        query = f"?fieldManager={manager}&force={str(force).lower()}"
        applied: Manifest = self.request("PATCH", path + query, body, content=APPLY)
        return applied

    def merge(self, path: str, body: Mapping[str, Any]) -> Manifest:
        """Change an object as ``kubectl patch --type=merge`` does."""
        changed: Manifest = self.request("PATCH", path, body, content="application/merge-patch+json")
        return changed

    def delete(self, path: str) -> None:
        """Delete an object."""
        self.request("DELETE", path)

    def acting(self, token: str) -> Self:
        """The same API server for requests with another token; only to make requests."""
        other = copy.copy(self)
        other._admin = token
        return other

    def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount, as the kubelet would mount it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return str(self.request("POST", path, body)["status"]["token"])
