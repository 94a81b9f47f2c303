"""Keys in a cluster, through the real kubectl: their list, their revocation, and the token of a ServiceAccount."""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from tests.support.kube.apiserver import ApiServer, assets
from tests.support.processes.command import Outcome, call

Key = Callable[..., Outcome]


@pytest.fixture
def run(api: ApiServer, tmp_path: Path) -> Key:
    """Run a command with the kubeconfig of the API server; its kubectl is the one beside it, or that of PATH."""
    environment = {
        "KUBECONFIG": str(api.kubeconfig()),
        "PATH": f"{assets()}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    return lambda *arguments: call(*arguments, environment=environment)


@pytest.fixture
def people(api: ApiServer, home: str, run: Key, tmp_path: Path) -> str:
    """A client with a list of two people, applied as it was written; returns the namespace."""
    (tmp_path / "people.csv").write_text("email,team\nalice@example.com,platform\nbob@example.com,data\n")
    output = tmp_path / "developers.yaml"
    given = ("--from", tmp_path / "people.csv", "-o", output, "--handouts", tmp_path / "handouts", "--namespace", home)
    assert run("key", "new", "developers", *given).code == 0
    secret, client = yaml.safe_load_all(output.read_text())
    api.apply(f"/apis/claudegateway.io/v1alpha1/namespaces/{home}/gatewayclients/developers", client)
    api.apply(f"/api/v1/namespaces/{home}/secrets/developers-keys", secret)
    return home


def listed(api: ApiServer, namespace: str) -> str:
    secret: dict[str, Any] = api.get(f"/api/v1/namespaces/{namespace}/secrets/developers-keys")
    return base64.b64decode(secret["data"]["key"]).decode()


def test_a_list_names_people_and_shows_no_hash(run: Key, people: str) -> None:
    outcome = run("key", "list", "--cluster", "-n", people)
    assert outcome.code == 0, outcome.stderr
    assert f"{people}/developers  0 own keys" in outcome.stdout
    assert "  alice@example.com  team platform  " in outcome.stdout
    assert "sha256" not in outcome.stdout
    assert "bob@example.com" in run("key", "list", "--cluster", "-A").stdout


def test_a_person_is_revoked_and_nobody_else(api: ApiServer, run: Key, people: str) -> None:
    before = listed(api, people)
    outcome = run("key", "revoke", "bob@example.com", "--cluster", "-n", people)
    assert (outcome.code, "1 of bob@example.com removed" in outcome.stdout) == (0, True), outcome.stderr
    after = listed(api, people)
    assert after == "\n".join(line for line in before.split("\n") if "bob@" not in line)
    again = run("key", "revoke", "bob@example.com", "--cluster", "-n", people)
    assert (again.code, "nobody called" in again.stderr) == (1, True)


def test_a_client_is_deleted(api: ApiServer, run: Key, people: str) -> None:
    assert run("key", "revoke", "developers", "--cluster", "-n", people).code == 0
    assert api.get(f"/apis/claudegateway.io/v1alpha1/namespaces/{people}/gatewayclients/developers") is None


def test_kubectls_own_words_are_shown(run: Key, people: str) -> None:
    outcome = run("key", "list", "--cluster", "--context", "nowhere", "-n", people)
    assert (outcome.code, "nowhere" in outcome.stderr) == (1, True)


def test_the_token_of_a_service_account(api: ApiServer, run: Key, home: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci"}}
    api.apply(f"/api/v1/namespaces/{home}/serviceaccounts/ci", account)
    given = ("key-helper", "serviceaccount", "--namespace", home, "--audience", "claude-gateway", "--lifetime", "20m")
    outcome = run(*given, "--name", "ci")
    assert outcome.code == 0, outcome.stderr
    claims = jwt.decode(outcome.stdout.strip(), options={"verify_signature": False})
    assert (claims["aud"], claims["sub"]) == (["claude-gateway"], f"system:serviceaccount:{home}:ci")
    assert claims["exp"] - claims["iat"] == 1200
    missing = run(*given, "--name", "nobody", "--grace", "0s")
    assert (missing.code, "nobody" in missing.stderr) == (1, True)
