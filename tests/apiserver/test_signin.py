"""The sign-in service at a real API server, under a ServiceAccount that may write one named Secret."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.clients.anthropic_cloud import Cloud, cloud
from tests.support.kube.apiserver import ApiServer
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION, AUTH_MANAGER, LABEL_CREDENTIAL
from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.store.cluster import ClusterStore
from claude_gateway_auth.store.store import ConflictError, StoreError
from claude_gateway_operator.rights import login_rules
from claude_gateway_runtime.kube import Cluster, Kube
from claude_gateway_scripted import Scripted

ACCOUNT = "auth"
RBAC = "rbac.authorization.k8s.io"
KEY = "key-of-the-page-0123456789"


class Installed:
    """A namespace with two credentials, of which the service may write one's Secret."""

    def __init__(self, api: ApiServer, namespace: str, folder: Path) -> None:
        self.api, self.namespace, self.folder = api, namespace, folder
        self.core = f"/api/v1/namespaces/{namespace}"
        self.secret = f"{self.core}/secrets/alice-login"
        for name in ("alice", "mallory"):
            spec = {"subscription": {"owner": f"{name}@example.com", "method": "Login", "secretName": f"{name}-login"}}
            body = {"apiVersion": API_VERSION, "kind": "ClaudeCredential", "metadata": {"name": name}, "spec": spec}
            api.create(f"/apis/{API_VERSION}/namespaces/{namespace}/claudecredentials", body)
        listing = {"apiGroups": ["claudegateway.io"], "resources": ["claudecredentials"], "verbs": ["list"]}
        rules = [listing, *login_rules(["alice-login"])]
        rbac = f"/apis/{RBAC}/v1/namespaces/{namespace}"
        api.apply(f"{self.core}/serviceaccounts/{ACCOUNT}", _named("v1", "ServiceAccount"))
        api.apply(f"{rbac}/roles/{ACCOUNT}", {**_named(f"{RBAC}/v1", "Role"), "rules": rules})
        binding = {
            **_named(f"{RBAC}/v1", "RoleBinding"),
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        }
        api.apply(f"{rbac}/rolebindings/{ACCOUNT}", binding)
        (folder / "token").write_text(api.token(namespace, ACCOUNT))
        (folder / "key").write_text(KEY)

    @property
    def cluster(self) -> Cluster:
        return Cluster(
            url=self.api.url, token_file=self.folder / "token", ca_file=self.api.home / "certs" / "apiserver.crt"
        )

    @contextmanager
    def service(self, anthropic: Cloud) -> Iterator[httpx.Client]:
        environment = {
            **anthropic.environment,
            "CLAUDE_GATEWAY_LISTEN": "127.0.0.1:0",
            "CLAUDE_GATEWAY_SOURCE": "kubernetes",
            "CLAUDE_GATEWAY_NAMESPACE": self.namespace,
            "CLAUDE_GATEWAY_RUN_DIR": str(self.folder / "run"),
            "CLAUDE_GATEWAY_AUTH_KEY_FILE": str(self.folder / "key"),
            "CLAUDE_GATEWAY_TOKEN_FILE": str(self.folder / "token"),
            "CLAUDE_GATEWAY_CA_FILE": str(self.cluster.ca_file),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.api.port),
        }
        headers = {"authorization": f"Bearer {KEY}"}
        with Process(python("claude_gateway_auth"), environment=environment) as process:
            base = f"http://{process.listening()}/auth/api/credentials/{self.namespace}"
            with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
                yield client
            assert not [secret for secret in anthropic.issued if secret in process.output]

    def login(self) -> dict[str, Any]:
        found = self.api.get(self.secret)
        data = (found or {}).get("data") or {}
        value = base64.b64decode(data.get(".credentials.json", "e30="))
        return dict(json.loads(value).get("claudeAiOauth") or {})


def _named(api: str, kind: str) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": ACCOUNT}}


@pytest.fixture
def installed(api: ApiServer, home: str, tmp_path: Path) -> Installed:
    return Installed(api, home, tmp_path)


@pytest.fixture
def anthropic(scripted: Scripted, tmp_path: Path) -> Iterator[Cloud]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with cloud(scripted.url, folder) as running:
        yield running


def test_a_login_in_a_secret_from_sign_in_to_sign_out(installed: Installed, anthropic: Cloud) -> None:
    api = installed.api
    with installed.service(anthropic) as client:
        out_of_reach = client.get("/mallory").json()
        assert (out_of_reach["state"], client.get("/alice").json()["state"]) == ("Out of reach", "Signed out")
        assert client.post("/mallory/sign-in").status_code == 503
        anthropic.lifetime = 600
        started = client.post("/alice/sign-in").json()
        body = {"id": started["id"], "code": anthropic.approve(started["link"])}
        assert client.post("/alice/code", json=body).json()["phase"] == "stored"
        first = anthropic.issued[1]
        until(lambda: installed.login()["accessToken"] != first, what="the refresh of a login that ends soon")
        anthropic.lifetime = 28_800
        until(lambda: client.get("/alice").json()["facts"].get("Last refresh"), what="the refresh to be noted")
        secret = api.get(installed.secret)
        assert secret["metadata"]["labels"] == {LABEL_CREDENTIAL: "true"}
        assert "ownerReferences" not in secret["metadata"]
        assert {entry["manager"] for entry in secret["metadata"]["managedFields"]} == {AUTH_MANAGER}
        assert set(secret["data"]) == {".credentials.json", "state.json"}
        assert client.post("/alice/sign-out").json()["state"] == "Signed out"
        assert not api.get(installed.secret).get("data")


def test_a_secret_with_another_writer_is_left_alone(installed: Installed, anthropic: Cloud) -> None:
    login = anthropic.login(seconds=-60)
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "alice-login", "labels": {LABEL_CREDENTIAL: "true"}},
        "data": {".credentials.json": base64.b64encode(json.dumps(login).encode()).decode()},
    }
    installed.api.apply(installed.secret, body, manager="another-tool")
    with installed.service(anthropic) as client:
        shown = client.get("/alice").json()
        assert (shown["state"], "another-tool" in shown["message"]) == ("Two writers", True)
        assert client.post("/alice/sign-in").status_code == 409
        checked = client.post("/alice/check")
        assert (checked.status_code, "another-tool" in checked.text) == (409, True)
        assert client.post("/alice/import", json=anthropic.login()).status_code == 503
        assert installed.login() == login["claudeAiOauth"]
        assert anthropic.asked == []
        installed.api.delete(installed.secret)
        assert client.post("/alice/import", json=anthropic.login()).json()["state"] == "Signed in"


def test_a_token_that_was_stored_by_hand_is_checked_and_left_alone(installed: Installed, anthropic: Cloud) -> None:
    spec = {"subscription": {"owner": "alice@example.com", "method": "SetupToken", "secretName": "alice-login"}}
    body = {"apiVersion": API_VERSION, "kind": "ClaudeCredential", "metadata": {"name": "by-hand"}, "spec": spec}
    installed.api.create(f"/apis/{API_VERSION}/namespaces/{installed.namespace}/claudecredentials", body)
    token = base64.b64encode(b"\xef\xbb\xbf" + anthropic.pair()[0].encode() + b"\r\n").decode()
    metadata = {"name": "alice-login", "labels": {LABEL_CREDENTIAL: "true"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"token": token}}
    installed.api.apply(installed.secret, secret, manager="another-tool")
    with installed.service(anthropic) as client:
        assert client.get("/by-hand").json()["state"] == "Signed in"
        checked = client.post("/by-hand/check").json()
        assert (checked["outcome"], checked["message"]) == ("ok", "")
    assert installed.api.get(installed.secret)["data"] == {"token": token}


def test_a_secret_without_the_label_is_neither_read_nor_written(installed: Installed, anthropic: Cloud) -> None:
    value = base64.b64encode(b"of something else").decode()
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "alice-login"}, "data": {"tls.key": value}}
    installed.api.create(f"{installed.core}/secrets", body)
    with installed.service(anthropic) as client:
        shown = client.get("/alice").json()
        assert (shown["state"], LABEL_CREDENTIAL in shown["message"]) == ("Out of reach", True)
        for answer in (client.post("/alice/sign-in"), client.post("/alice/import", json=anthropic.login())):
            assert answer.status_code == 503
    assert installed.api.get(installed.secret)["data"] == {"tls.key": value}


async def test_a_change_that_was_not_seen_is_not_overwritten(installed: Installed) -> None:
    alice = Credential(
        namespace=installed.namespace,
        name="alice",
        owner="alice@example.com",
        method=Method.LOGIN,
        secret_name="alice-login",
    )
    async with Kube(installed.cluster, manager=AUTH_MANAGER) as kube:
        store = ClusterStore(kube, (installed.namespace,))
        assert [found.name for found in await store.credentials()] == ["alice", "mallory"]
        await store.write(alice, {"state.json": b"1"}, version=None)
        with pytest.raises(ConflictError):
            await store.write(alice, {"state.json": b"2"}, version=None)
        seen = await store.read(alice)
        installed.api.merge(installed.secret, {"metadata": {"annotations": {"note": "changed"}}})
        with pytest.raises(ConflictError):
            await store.write(alice, {"state.json": b"2"}, version=seen.version)
        seen = await store.read(alice)
        await store.write(alice, {"state.json": b"2"}, version=seen.version)
        installed.api.delete(installed.secret)
        with pytest.raises(ConflictError):
            await store.write(alice, {"state.json": b"3"}, version=seen.version)
        mallory = alice.model_copy(update={"name": "mallory", "secret_name": "mallory-login"})
        with pytest.raises(StoreError, match="403"):
            await store.write(mallory, {"state.json": b"1"}, version="1")
