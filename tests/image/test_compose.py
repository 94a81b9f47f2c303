"""``compose.yaml``: the service that it describes, started, asked from outside and given an edit.

Needs `docker` and the image in `CLAUDE_GATEWAY_IMAGE`. Where docker has no `compose`, the file's settings are given to
`docker run` one by one; a setting that has no translation here is an error.
"""

import http.client
import json
import os
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL

FILE: Final = Path("compose.yaml")
SERVICE: Final = "claude-gateway"
KEY: Final = "cgw_" + "k" * 43
_VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def _run(*arguments: str, environment: dict[str, str] | None = None, check: bool = True) -> str:
    done = subprocess.run(
        arguments, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=180
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{shlex.join(arguments)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _has_compose() -> bool:
    return subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=60).returncode == 0


def _service(environment: dict[str, str]) -> dict[str, Any]:
    """The file's one service, with its variables replaced as compose does."""
    known = {**os.environ, **environment}
    text = _VARIABLE.sub(lambda found: known.get(found[1]) or found[2], FILE.read_text())
    services = yaml.safe_load(text)["services"]
    assert list(services) == [SERVICE]
    return dict(services[SERVICE])


def _as_docker_run(service: dict[str, Any]) -> list[str]:
    """The same settings as arguments of ``docker run``. Raises KeyError for a setting that it does not know."""
    health = service["healthcheck"]
    assert health["test"][0] == "CMD"
    assert set(health) == {"test", "interval", "timeout", "start_period", "retries"}
    many = {
        "ports": "--publish",
        "volumes": "--volume",
        "environment": "--env",
        "extra_hosts": "--add-host",
        "tmpfs": "--tmpfs",
        "cap_drop": "--cap-drop",
        "security_opt": "--security-opt",
    }
    arguments = ["--health-cmd", shlex.join(health["test"][1:])]
    for name in ("interval", "timeout", "start_period", "retries"):
        arguments += [f"--health-{name.replace('_', '-')}", str(health[name])]
    for name, value in service.items():
        match name:
            case "image" | "command" | "build" | "healthcheck":
                continue
            case "user" | "restart":
                arguments += [f"--{name}", value]
            case "stop_grace_period":
                arguments += ["--stop-timeout", value.removesuffix("s")]
            case "read_only":
                arguments += ["--read-only"] if value else []
            case _:
                arguments += [part for each in value for part in (many[name], each)]
    return [*arguments, service["image"], *service["command"]]


@dataclass(frozen=True, slots=True)
class Running:
    """The service as clients see it, and its container."""

    container: str
    port: int
    config: Path

    def get(self, path: str, *, key: str = "") -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"x-api-key": key} if key else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def models(self) -> set[str]:
        """The names of models that the client may use."""
        status, found = self.get("/v1/models", key=KEY)
        assert status == 200, found
        return {model["id"] for model in found["data"]}

    def inspect(self, template: str) -> Any:
        """Something that docker knows of the container."""
        return json.loads(_run("docker", "inspect", "-f", f"{{{{json {template}}}}}", self.container))


def _write(folder: Path, *models: str) -> None:
    target = {"model": "hosted_vllm/m", "baseURL": "http://host.docker.internal:11434/v1"}
    secret = {"name": "me", "labels": {LABEL_CREDENTIAL: "true"}}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"key": KEY}},
        {"kind": "GatewayClient", "metadata": {"name": "me"}, "spec": {"keys": [{"secretRef": {"name": "me"}}]}},
        {"kind": "ModelRoute", "metadata": {"name": "r"}, "spec": {"models": list(models), "targets": [target]}},
    ]
    scratch = folder / "all.yaml.new"
    scratch.write_text(yaml.safe_dump_all([{"apiVersion": API_VERSION, **document} for document in documents]))
    scratch.chmod(0o644)
    scratch.rename(folder / "all.yaml")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = tmp_path_factory.mktemp("config")
    state = tmp_path_factory.mktemp("state")
    # The container's user is nobody that this machine knows.
    config.chmod(0o755)
    state.chmod(0o777)
    _write(config, "first")
    name = f"claude-gateway-test-{uuid.uuid4().hex[:12]}"
    environment = {
        "CLAUDE_GATEWAY_CONFIG": str(config),
        "CLAUDE_GATEWAY_STATE": str(state),
        "CLAUDE_GATEWAY_PUBLISH": "127.0.0.1:0",
        "CLAUDE_GATEWAY_AUTH_PUBLISH": "127.0.0.1:0",
    }
    compose = ("docker", "compose", "--file", str(FILE), "--project-name", name)
    container = name
    try:
        if _has_compose():
            _run(*compose, "up", "--detach", "--no-build", environment=environment)
            container = _run(*compose, "ps", "--quiet", environment=environment).strip()
        else:
            print("\ndocker has no compose here: the settings of compose.yaml are given to docker run")
            _run("docker", "run", "--detach", "--name", name, *_as_docker_run(_service(environment)))
        published = _run("docker", "port", container, "4000/tcp").split()[0]
        yield Running(container, int(published.rpartition(":")[2]), config)
    finally:
        if _has_compose():
            _run(*compose, "down", "--volumes", environment=environment, check=False)
        _run("docker", "rm", "--force", name, check=False)


def _health(running: Running) -> bool:
    state = running.inspect(".State")
    assert state["Running"], _run("docker", "logs", running.container)
    return bool(state["Health"]["Status"] == "healthy")


def test_it_becomes_healthy_and_answers_on_the_published_port(running: Running) -> None:
    until(lambda: _health(running), timeout=90, what="the container to be healthy")

    assert running.models() == {"first"}
    assert running.get("/v1/models")[0] == 401


def test_an_edit_of_the_mounted_folder_is_live(running: Running) -> None:
    _write(running.config, "first", "second")

    until(lambda: running.models() == {"first", "second"}, what="the edit to be live")


def test_it_runs_with_as_little_as_it_needs(running: Running) -> None:
    host = running.inspect(".HostConfig")

    assert running.inspect(".Config.User") == "65532:65532"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert set(host["Tmpfs"]) == {"/run/claude-gateway"}
    assert [option.partition(":")[0].partition("=")[0] for option in host["SecurityOpt"]] == ["no-new-privileges"]
    assert [
        mount["RW"]
        for mount in sorted(running.inspect(".Mounts"), key=lambda mount: mount["Destination"])
        if mount["Type"] == "bind"
    ] == [False, True]


def test_only_this_machine_reaches_it_unless_asked_otherwise() -> None:
    names = ("PUBLISH", "AUTH_PUBLISH", "CONFIG", "STATE")
    service = _service({f"CLAUDE_GATEWAY_{name}": "" for name in names})

    assert service["ports"] == ["127.0.0.1:4000:4000", "127.0.0.1:4200:4200"]
    assert service["volumes"] == ["./gateway:/config:ro", "./state:/state"]


def test_it_stops_in_order(running: Running) -> None:
    _run("docker", "stop", running.container)

    # 137 is what remains of a process that had to be killed.
    assert running.inspect(".State.ExitCode") in (0, 143)
