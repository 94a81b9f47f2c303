"""Keys and the settings that carry them: ``key new``, ``env``, ``run``."""

import json
import os
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from tests.support.builders import objects as builders
from tests.support.processes.command import call, write

from claude_gateway.cli import tools
from claude_gateway.names import Kind

NO_KEY = {"CLAUDE_GATEWAY_KEY": None, "CLAUDE_GATEWAY_URL": None}


def test_a_new_key_is_printed_as_objects_that_lint_accepts(tmp_path: Path) -> None:
    outcome = call("key", "new", "alice", "--models", "claude-*", "--namespace", "team-a")
    assert outcome.code == 0
    secret, client = yaml.safe_load_all(outcome.stdout)
    assert client["kind"] == Kind.GATEWAY_CLIENT
    assert client["spec"]["models"] == ["claude-*"]
    assert client["metadata"] == {"name": "alice", "namespace": "team-a"}
    key = secret["stringData"]["key"]
    assert key.startswith("cgw_")
    assert len(key) == len("cgw_") + 43
    (tmp_path / "x.yaml").write_text(outcome.stdout)
    assert call("lint", "-f", tmp_path).code == 0
    assert key not in call("key", "new", "alice").stdout


def test_a_client_of_one_person_names_its_owner() -> None:
    _, client = yaml.safe_load_all(call("key", "new", "alice", "--owner", "alice@example.com").stdout)
    assert client["spec"]["owner"] == "alice@example.com"
    refused = call("key", "new", "alice", "--owner", "alice and bob")
    assert refused.code == 2
    assert "--owner" in refused.stderr
    assert "one person's e-mail address" in refused.stderr


def test_a_key_in_a_file_is_private_unprinted_and_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    outcome = call("key", "new", "alice", "--dir", folder)
    path = folder / "alice.yaml"
    assert outcome.code == 0
    assert str(path) in outcome.stdout
    assert "cgw_" not in outcome.stdout + outcome.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = path.read_text()
    again = call("key", "new", "alice", "-o", path)
    assert again.code == 1
    assert "already exists and was not changed" in again.stderr
    assert path.read_text() == before


@pytest.mark.parametrize(
    "arguments", [("Not A Name",), ("ok", "--models", "bad pattern"), ("ok", "-o", "a", "--dir", "b")]
)
def test_what_no_object_may_be_is_a_usage_mistake(arguments: tuple[str, ...]) -> None:
    assert call("key", "new", *arguments).code == 2


def test_settings_are_for_shells_and_files(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", *builders.sound())
    key = builders.CLIENT_KEY
    sh = call("env", "-f", tmp_path, environment=NO_KEY).stdout
    shown = subprocess.run(
        ["sh", "-c", f"{sh}\nenv"], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout.splitlines()
    for line in (
        "ANTHROPIC_BASE_URL=http://127.0.0.1:4000",
        f"ANTHROPIC_AUTH_TOKEN={key}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS=1",
        "OPENAI_BASE_URL=http://127.0.0.1:4000/v1",
        f"OPENAI_API_KEY={key}",
    ):
        assert line in shown
    assert "#" not in sh, "an unquoted eval would lose what stands after a comment"
    as_json = json.loads(call("env", "claude", "-f", tmp_path, "--format", "json", environment=NO_KEY).stdout)
    assert list(as_json) == [
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS",
    ]
    fish = call(
        "env", "openai", "-f", tmp_path, "--format", "fish", "--url", "https://h/v1/", environment=NO_KEY
    ).stdout
    assert fish.splitlines()[0] == "set -gx OPENAI_BASE_URL 'https://h/v1'"
    dotenv = call("env", "anthropic", "-f", tmp_path, "--format", "dotenv", environment=NO_KEY).stdout
    assert f"ANTHROPIC_API_KEY={key}" in dotenv.splitlines()
    assert dotenv.startswith("# ")


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("cgw_from-file\n")
    ambient = {"CLAUDE_GATEWAY_KEY": "cgw_ambient"}
    assert "cgw_ambient" in call("env", "openai", environment=ambient).stdout
    assert "cgw_from-file" in call("env", "openai", "--key-file", file, environment=ambient).stdout
    missing = call("env", environment=NO_KEY)
    assert missing.code == 1
    assert "claude-gateway key new" in missing.stderr


def test_one_of_several_clients_must_be_named(tmp_path: Path) -> None:
    values = {"a": "cgw_aaaaaaaaaaaaaaaa", "b": "cgw_bbbbbbbbbbbbbbbb"}
    clients = [builders.client(name, keys=(name,)) for name in "ab"]
    write(tmp_path / "x.yaml", *clients, builders.secret(values=values))
    both = call("env", "-f", tmp_path, environment=NO_KEY)
    assert both.code == 1
    assert "--client default/a | default/b" in both.stderr
    assert values["b"] in call("env", "-f", tmp_path, "--client", "b", environment=NO_KEY).stdout
    nobody = call("env", "-f", tmp_path, "--client", "c", environment=NO_KEY)
    assert "Use one of: default/a, default/b" in nobody.stderr


def test_a_client_whose_secret_is_elsewhere_has_no_key_here(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", builders.client())
    outcome = call("env", "-f", tmp_path, environment=NO_KEY)
    assert outcome.code == 1
    assert "the key of GatewayClient default/alice is not in these files" in outcome.stderr


def test_a_client_of_tokens_has_no_key(tmp_path: Path) -> None:
    tokens = builders.client()
    tokens["spec"] = {"jwt": [{"issuer": "https://login.example.com", "audiences": ["a"]}]}
    write(tmp_path / "x.yaml", tokens)
    outcome = call("env", "-f", tmp_path, environment=NO_KEY)
    assert outcome.code == 1
    assert "GatewayClient default/alice has no key" in outcome.stderr
    assert "--key-file" in outcome.stderr


def test_no_setting_stands_twice_and_no_repr_has_a_key() -> None:
    for tool in (tools.CLAUDE, tools.ANTHROPIC, tools.OPENAI, tools.ALL):
        names = [setting.name for setting in tools.settings(tool, url="u", key="k")]
        assert len(names) == len(set(names))
    assert "secret" not in repr(tools.claude("u", "secret"))


class Ready(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        return


class NotReady(Ready):
    status = 503


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Any:
    server = HTTPServer(("127.0.0.1", 0), getattr(request, "param", Ready))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "claude_gateway.cli", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**environment})


def test_a_program_gets_the_gateways_settings_and_none_that_would_win(gateway: str, tmp_path: Path) -> None:
    claude = tmp_path / "claude"
    claude.write_text('#!/bin/sh\nenv\necho "args: $*"\nexit 7\n')
    claude.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CLAUDE_GATEWAY_KEY": "cgw_k",
        "ANTHROPIC_API_KEY": "sk-ant-mine",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "KEPT": "yes",
    }
    ended = run("--url", gateway, "--", "claude", "-p", "hi", environment=environment)
    assert ended.returncode == 7
    lines = ended.stdout.splitlines()
    assert f"ANTHROPIC_BASE_URL={gateway}" in lines
    assert "ANTHROPIC_AUTH_TOKEN=cgw_k" in lines
    assert "KEPT=yes" in lines
    assert "args: -p hi" in lines
    assert not [
        line for line in lines if line.startswith(("ANTHROPIC_API_KEY", "CLAUDE_CODE_USE", "CLAUDE_GATEWAY_KEY"))
    ]
    assert "ANTHROPIC_API_KEY, CLAUDE_CODE_USE_BEDROCK" in ended.stderr
    assert "sk-ant-mine" not in ended.stderr + ended.stdout


def test_any_other_program_gets_what_the_sdks_read(gateway: str) -> None:
    environment = {"PATH": os.environ["PATH"], "CLAUDE_GATEWAY_KEY": "cgw_k", "OPENAI_API_KEY": "sk-mine"}
    lines = run("--url", gateway, "--", "env", environment=environment).stdout.splitlines()
    assert f"OPENAI_BASE_URL={gateway}/v1" in lines
    assert "OPENAI_API_KEY=cgw_k" in lines
    assert "ANTHROPIC_API_KEY=cgw_k" in lines


def test_no_gateway_and_no_program_say_what_to_do(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "CLAUDE_GATEWAY_KEY": "cgw_k"}
    no_program = run("--", "nonsense", environment=environment)
    assert no_program.returncode == 1
    assert "the program nonsense is not on PATH" in no_program.stderr
    no_gateway = run("--url", "http://127.0.0.1:9", "--", sys.executable, environment=environment)
    assert no_gateway.returncode == 1
    assert "connection refused" in no_gateway.stderr
    assert "claude-gateway serve" in no_gateway.stderr
    assert "Traceback" not in no_gateway.stderr


@pytest.mark.parametrize("gateway", [NotReady], indirect=True)
def test_a_gateway_that_is_not_ready_is_said_so(gateway: str) -> None:
    environment = {"PATH": os.environ["PATH"], "CLAUDE_GATEWAY_KEY": "cgw_k"}
    assert "is not ready yet" in run("--url", gateway, "--", "env", environment=environment).stderr


def test_claude_is_found_in_the_sdks_wheel(gateway: str, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "CLAUDE_GATEWAY_KEY": "cgw_k"}
    ended = run("--url", gateway, "--", "claude", "--version", environment=environment)
    assert ended.returncode == 0
    assert "Claude Code" in ended.stdout


PROXY = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "corp.example"}


def test_a_client_does_not_ask_a_proxy_for_a_gateway_nearby() -> None:
    near = {setting.name: setting.value for setting in tools.bypass("http://[::1]:4000", PROXY)}
    assert near == dict.fromkeys(("NO_PROXY", "no_proxy"), "corp.example,::1")
    far = "https://llm.example.com"
    assert tools.bypass(far, PROXY) == ()
    assert tools.bypass(far, PROXY, reached=True)[0].value == "corp.example,llm.example.com"
    assert tools.bypass("http://127.0.0.1:4000", {"NO_PROXY": "x", "HTTPS_PROXY": ""}) == ()


def test_env_prints_the_bypass_where_a_proxy_is_set(tmp_path: Path) -> None:
    write(tmp_path / "x.yaml", *builders.sound())
    shown = call("env", "-f", tmp_path, environment={**NO_KEY, **PROXY, "no_proxy": None}).stdout
    assert "export NO_PROXY=corp.example,127.0.0.1" in shown.splitlines()
    assert "export no_proxy=corp.example,127.0.0.1" in shown.splitlines()
