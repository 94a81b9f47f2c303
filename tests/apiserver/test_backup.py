"""The how-to about backups, as it is written: its commands, through the real kubectl, on a real API server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.objects import LOGIN_TOKEN, client, credential, login_file, route, secret, subscription
from tests.support.kube.apiserver import ApiServer, assets
from tests.support.kube.cluster import Cluster, url
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.writers import other_writer
from claude_gateway.names import AUTH_MANAGER

PAGE = Path(__file__).parents[2] / "docs/how-to/backup-and-restore.md"
LOGIN = ".credentials.json"


def block(title: str) -> str:
    """The commands below a heading of the page."""
    section = PAGE.read_text().split(f"\n## {title}\n")[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def run(commands: str, *, api: ApiServer, home: str, folder: Path) -> None:
    assert shutil.which("jq"), "jq is needed: apt-get install jq"
    path = f"{assets()}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "KUBECONFIG": str(api.kubeconfig()), "NAMESPACE": home, "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-euc", commands],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def cluster(api: ApiServer, home: str) -> Cluster:
    """A namespace with routes, a client, keys, and a login that the sign-in service wrote."""
    there = Cluster(api, home)
    there.put(secret(), credential(), client(), route())
    there.put(route("second", models=["claude-opus-*"]), subscription(method="Login"))
    body = login_file()
    body["metadata"]["namespace"] = home
    api.apply(url("Secret", home, "login"), body, manager=AUTH_MANAGER)
    return there


def test_what_was_deleted_is_restored_byte_for_byte(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    home = cluster.home
    with Operator(api, home).install():
        until(lambda: len(cluster.routes()) == 2)
        before = cluster.revision()
        run(block("Back up"), api=api, home=home, folder=tmp_path)
        for kind, name in (
            *(("ModelRoute", "sonnet"), ("ModelRoute", "second"), ("GatewayClient", "alice")),
            *(("ClaudeCredential", "anthropic"), ("ClaudeCredential", "mine"), ("Secret", "keys"), ("Secret", "login")),
        ):
            cluster.drop(kind, name)
        until(lambda: not cluster.routes())
        run(block("Restore"), api=api, home=home, folder=tmp_path)
        until(lambda: cluster.revision() == before)
    metadata: dict[str, Any] = api.get(url("Secret", home, "login"))["metadata"]
    assert other_writer(metadata, LOGIN) is None, "the sign-in service may go on with it"


def test_a_backup_holds_what_must_be_kept_and_nothing_that_the_operator_makes(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    with Operator(api, cluster.home).install():
        until(lambda: cluster.routes())
        run(block("Back up"), api=api, home=cluster.home, folder=tmp_path)
    held = {name: json.loads((tmp_path / name).read_text()) for name in ("objects.json", "secrets.json", "logins.json")}
    names = {name: [item["metadata"]["name"] for item in document["items"]] for name, document in held.items()}
    assert sorted(names["objects.json"]) == ["alice", "anthropic", "mine", "second", "sonnet"]
    assert (names["secrets.json"], names["logins.json"]) == (["keys"], ["login"])
    for document in held.values():
        for item in document["items"]:
            assert "status" not in item
            assert set(item["metadata"]) <= {"name", "namespace", "labels", "annotations"}
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0, f"{file.name} can be read by others"
    assert LOGIN_TOKEN not in (tmp_path / "objects.json").read_text()
