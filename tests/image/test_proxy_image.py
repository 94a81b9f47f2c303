"""The proxy image, run as in production: read-only, not root, all capabilities dropped, no network but its own.

Needs `docker`, and the image in `CLAUDE_GATEWAY_IMAGE`; `make test-image` builds it first.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL

KEY = "cgw_" + "k" * 43
PORT = 4000
HARDENED = (
    *("--read-only", "--tmpfs", "/run/claude-gateway", "--cap-drop", "ALL", "--network", "none"),
    *("--security-opt", "no-new-privileges"),
)

CLIENT = """
import json, sys, urllib.error, urllib.request
url, key, body = sys.argv[1:]
headers = {"x-api-key": key, "content-type": "application/json", "anthropic-version": "2023-06-01"}
request = urllib.request.Request(url, data=body.encode() or None, headers=headers)
try:
    with urllib.request.urlopen(request, timeout=60) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""


def _docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    if check and done.returncode != 0:
        raise AssertionError(
            f"docker {' '.join(arguments[:3])} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
    return done.stdout


@pytest.fixture(scope="module")
def image() -> str:
    return os.environ["CLAUDE_GATEWAY_IMAGE"]


def _run(image: str, entrypoint: str, *arguments: str) -> str:
    return _docker("run", "--rm", *HARDENED, "--entrypoint", entrypoint, image, *arguments)


@dataclass(frozen=True, slots=True)
class Container:
    """A running container and the way to ask its gateway from within."""

    name: str

    def ask(self, path: str, body: dict[str, Any] | None = None, *, port: int = PORT) -> tuple[int, str]:
        """Status and text of one request; status 0 if nothing listens."""
        url, sent = f"http://127.0.0.1:{port}{path}", json.dumps(body) if body is not None else ""
        status, text = json.loads(_docker("exec", self.name, "python", "-c", CLIENT, url, KEY, sent))
        return int(status), str(text)

    def logs(self) -> str:
        """All that it printed."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr


def _route(name: str, target: dict[str, str]) -> dict[str, Any]:
    spec = {"models": [name], "targets": [target]}
    return {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}


def _config(folder: Path) -> None:
    documents = [
        _route("relayed", {"model": "anthropic/claude-sonnet-5-5", "baseURL": "http://127.0.0.1:4001"}),
        _route("translated", {"model": "hosted_vllm/gpt-5", "baseURL": "http://127.0.0.1:4001/v1"}),
        {
            "apiVersion": API_VERSION,
            "kind": "GatewayClient",
            "metadata": {"name": "me"},
            "spec": {"keys": [{"secretRef": {"name": "me"}}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "me", "labels": {LABEL_CREDENTIAL: "true"}},
            "stringData": {"key": KEY},
        },
    ]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    # The container's user is nobody that this machine knows.
    (folder / "all.yaml").chmod(0o644)
    folder.chmod(0o755)


@pytest.fixture(scope="module")
def served(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    config = tmp_path_factory.mktemp("config")
    _config(config)
    container = Container(f"claude-gateway-test-{uuid.uuid4().hex[:12]}")
    command = ("serve", "-f", "/config", "--listen", f"127.0.0.1:{PORT}", "--scripted-model", "127.0.0.1:4001")
    started = time.monotonic()
    _docker("run", "-d", "--name", container.name, *HARDENED, "-v", f"{config}:/config:ro", image, *command)
    try:
        until(lambda: _ready(container), timeout=60, what="the gateway to be ready")
        print(f"\ncontainer start to ready: {time.monotonic() - started:.2f} s")
        yield container
    finally:
        _docker("rm", "-f", container.name, check=False)


def _ready(container: Container) -> bool:
    if _docker("inspect", "-f", "{{.State.Running}}", container.name).strip() != "true":
        raise AssertionError(f"the container ended:\n{container.logs()}")
    return container.ask("/readyz")[0] == 200


def test_it_is_not_root_and_says_so_in_numbers(image: str) -> None:
    config = json.loads(_docker("inspect", "-f", "{{json .Config}}", image))

    assert config["User"] == "65532:65532"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert _run(image, "id", "-u").strip() == "65532"


def test_it_also_runs_as_any_other_user(image: str) -> None:
    write = "import os, pathlib; pathlib.Path('/run/claude-gateway/x').write_text('x'); print(os.getuid())"

    assert _docker("run", "--rm", *HARDENED, "--user", "1000770", "--entrypoint", "python", image, "-c", write) == (
        "1000770\n"
    )


def test_only_the_memory_folder_can_be_written(image: str) -> None:
    look = (
        "for d in / /tmp /opt/claude-gateway /run /run/claude-gateway; do touch $d/x 2>/dev/null && echo $d; done; true"
    )

    assert _run(image, "sh", "-c", look).split() == ["/run/claude-gateway"]


def test_the_command_line_is_the_entrypoint(image: str) -> None:
    assert "Usage: claude-gateway" in _docker("run", "--rm", *HARDENED, image, "--help")


def test_it_holds_the_locked_packages_and_no_others(image: str) -> None:
    lines = Path("locks/proxy.txt").read_text().splitlines()
    locked = {line.split("==")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}
    listing = "from importlib.metadata import distributions; print(*(d.name for d in distributions(path=[%r])))"
    packages = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = _run(image, "python", "-c", packages).strip()

    found = {name.lower().replace("_", "-") for name in _run(image, "python", "-c", listing % purelib).split()}
    own = {"claude-gateway", "claude-gateway-runtime", "claude-gateway-proxy", "claude-gateway-scripted"}
    assert own <= found
    assert found - own <= locked
    assert not found & {"litellm-enterprise", "pip", "setuptools", "uv", "kubernetes", "hatchling", "pytest"}


def test_it_holds_no_caches_sources_or_keys(image: str) -> None:
    names = (
        "*.whl",
        ".git",
        ".env",
        "*.key",
        "id_rsa",
        "id_ed25519",
        ".netrc",
        ".pypirc",
        "pip.conf",
        "uv.toml",
        "uv_cache.json",
        "__editable__*",
    )
    tests = " -o ".join(f"-name '{name}'" for name in names)
    look = f"find /opt /run /root /home /build /tmp -xdev \\( {tests} -o -path '*/.cache/*' \\) 2>/dev/null; true"

    assert _run(image, "sh", "-c", look) == ""
    assert "KEY" not in _docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)


def test_every_module_is_compiled_because_nobody_can_do_it_later(image: str) -> None:
    look = (
        "import pathlib, sysconfig\n"
        "home = pathlib.Path(sysconfig.get_path('purelib'))\n"
        "for name in ('claude_gateway', 'claude_gateway_proxy', 'claude_gateway_scripted', 'litellm', 'aiohttp'):\n"
        "    for module in (home / name).rglob('*.py'):\n"
        "        compiled = module.parent / '__pycache__' / f'{module.stem}.cpython-313.pyc'\n"
        "        if not compiled.exists():\n"
        "            print(module)\n"
    )

    assert _run(image, "python", "-c", look) == ""


def test_litellm_can_be_imported_without_the_files_that_were_left_out(image: str) -> None:
    look = (
        "import pathlib, litellm; print((pathlib.Path(litellm.__file__).parent / 'proxy/_experimental/out').exists())"
    )

    local = ("-e", "LITELLM_LOCAL_MODEL_COST_MAP=True")
    assert _docker("run", "--rm", *HARDENED, *local, "--entrypoint", "python", image, "-c", look) == "False\n"


@pytest.mark.parametrize("model", ["relayed", "translated"])
def test_serve_answers_a_prompt(served: Container, model: str) -> None:
    body = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Good morning"}]}

    status, text = served.ask("/v1/messages", body)
    assert status == 200, text
    answer = json.loads(text)
    assert answer["type"] == "message"
    assert answer["content"][0]["text"]
    status, stream = served.ask("/v1/messages", {**body, "stream": True})
    assert status == 200
    assert "event: message_stop" in stream


def test_serve_stops_in_order_when_asked(image: str, tmp_path: Path) -> None:
    _config(tmp_path)
    container = Container(f"claude-gateway-test-{uuid.uuid4().hex[:12]}")
    command = ("serve", "-f", "/config", "--listen", f"127.0.0.1:{PORT}", "--scripted-model", "127.0.0.1:4001")
    _docker("run", "-d", "--name", container.name, *HARDENED, "-v", f"{tmp_path}:/config:ro", image, *command)
    try:
        until(lambda: _ready(container), timeout=60, what="the gateway to be ready")
        _docker("stop", "-t", "30", container.name)
        state = json.loads(_docker("inspect", "-f", "{{json .State}}", container.name))
        assert not state["OOMKilled"]
        # 137 is what remains of a process that had to be killed.
        assert state["ExitCode"] in (0, 143), container.logs()
        assert KEY not in container.logs()
    finally:
        _docker("rm", "-f", container.name, check=False)
