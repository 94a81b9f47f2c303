"""``setup``: what it writes, what it leaves alone, and what it says about everything that can be wrong."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders import objects as builders
from tests.support.builders import scan
from tests.support.builders.service_accounts import Cluster
from tests.support.processes.command import Outcome, call
from tests.support.processes.serve import Starter

MODEL = "claude-sonnet-5-5"
Setup = Callable[..., Outcome]
# Variables of the machine that would change what is seen.
FOREIGN = [name for name in os.environ if name.startswith(("ANTHROPIC_", "CLAUDE_", "AWS_", "API_"))]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "home"
    (found / ".claude").mkdir(parents=True)
    monkeypatch.chdir(found)
    return found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(builders.CLIENT_KEY)
    path.chmod(0o600)
    return path


@pytest.fixture
def setup(home: Path) -> Setup:
    """Run ``setup`` where nothing of this machine is set."""

    def run(*arguments: str | Path, **environment: str) -> Outcome:
        clean: dict[str, str | None] = {**dict.fromkeys(FOREIGN), "HOME": str(home), "PATH": "/usr/bin:/bin"}
        outcome = call("setup", *arguments, environment={**clean, **environment})
        assert scan.found([builders.CLIENT_KEY], outcome.stdout + outcome.stderr) == []
        return outcome

    return run


def written(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / ".claude" / "settings.json").read_text())
    return found


def write(home: Path, **settings: Any) -> None:
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))


def test_it_writes_checks_and_asks(start: Starter, setup: Setup, home: Path, key_file: Path) -> None:
    url = start().url
    path = home / ".claude" / "settings.json"
    path.write_text('{"model": "opus", "env": {"FOO": "1", "ANTHROPIC_API_KEY": "old"}}')
    path.chmod(0o640)
    given = ("--url", f"{url}/v1/", "--key-file", key_file, "--ttl", "10m", "--context-tokens", "200000")
    outcome = setup(*given, "--model", MODEL)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    found = written(home)
    assert (found["model"], found["apiKeyHelper"]) == ("opus", f"cat {key_file}")
    wanted = {
        "FOO": "1",
        "ANTHROPIC_BASE_URL": url,
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "600000",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "200000",
    }
    assert {name: found["env"].get(name) for name in wanted} == wanted
    assert "ANTHROPIC_API_KEY" not in found["env"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert "PASS  key: accepted by the gateway" in outcome.stdout
    # The genuine CLI, from the package of the Agent SDK.
    assert "PASS  prompt through Claude Code: 'echo: Answer with the one word: pong'" in outcome.stdout
    backups = list((home / ".claude").glob("settings.json.*.bak"))
    assert [backup.read_text() for backup in backups] == [
        '{"model": "opus", "env": {"FOO": "1", "ANTHROPIC_API_KEY": "old"}}'
    ]

    again = setup(*given, "--no-prompts")
    assert (again.code, "nothing to change" in again.stdout) == (0, True)
    checked = setup("--check", "--http", "--model", MODEL)
    assert checked.code == 0
    assert "PASS  prompt over HTTP: 'echo: Answer with the one word: pong'" in checked.stdout
    assert written(home) == found
    assert len(list((home / ".claude").glob("settings.json*"))) == 2

    # What npm leaves for `claude` where it may run no scripts: a text without an interpreter.
    placeholder = home / "bin" / "claude"
    placeholder.parent.mkdir()
    placeholder.write_text('echo "Error: claude native binary not installed." >&2\n')
    placeholder.chmod(0o755)
    broken = setup("--check", PATH=f"{placeholder.parent}:/usr/bin:/bin")
    assert (broken.code, broken.stderr) == (1, "6 checks, 1 failed\n")
    assert f"FAIL  prompt through Claude Code: {placeholder} cannot be started" in broken.stdout


def test_a_link_to_the_settings_stays_a_link(setup: Setup, home: Path, key_file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    link = home / ".claude" / "settings.json"
    link.symlink_to(real)
    setup("--url", "http://127.0.0.1:1", "--key-file", key_file)
    assert link.is_symlink()
    assert json.loads(real.read_text())["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:1"


def test_a_broken_file_is_not_touched(setup: Setup, home: Path, key_file: Path) -> None:
    path = home / ".claude" / "settings.json"
    path.write_text('{"model": "opus",}')
    outcome = setup("--url", "http://127.0.0.1:1", "--key-file", key_file)
    assert (outcome.code, "settings.json:1:" in outcome.stderr) == (1, True)
    assert path.read_text() == '{"model": "opus",}'


def test_a_gateway_that_is_not_there(setup: Setup, key_file: Path) -> None:
    outcome = setup("--url", "http://127.0.0.1:1", "--key-file", key_file)
    assert outcome.code == 1
    assert "FAIL  gateway: nothing answers at 127.0.0.1:1" in outcome.stdout
    assert "prompt" not in outcome.stdout


def test_a_key_that_the_gateway_does_not_know(start: Starter, setup: Setup, key_file: Path) -> None:
    url = start().url
    key_file.write_text("cgw_another-key-0123456789abcdef")
    outcome = setup("--url", url, "--key-file", key_file)
    assert outcome.code == 1
    assert "FAIL  key: 401" in outcome.stdout


@pytest.mark.parametrize(
    ("helper", "mode", "said"),
    [
        ("{folder}/helper", 0o600, "is not executable"),
        ("{folder}/missing", 0o700, "was not found"),
        ("no-such-command --x", 0o700, "was not found"),
        ("{folder}/helper", 0o777, "can be changed by others"),
        ("{folder}/helper", 0o755, "holds a key and can be read by others"),
        ("cat {folder}/open", 0o700, "holds a key and can be read by others"),
        ("echo cgw_in-the-command-0123456789abcdef", 0o700, "the command holds a key"),
        ("sh -c 'exit 3'", 0o700, "the helper failed: ended with 3"),
        ("sh -c 'echo not a key'", 0o700, "not a single key"),
        ("true", 0o700, "is empty"),
        ("echo 'open", 0o700, "open quote"),
    ],
)
def test_a_helper_that_is_wrong_is_explained(
    setup: Setup, home: Path, tmp_path: Path, helper: str, mode: int, said: str
) -> None:
    script = tmp_path / "helper"
    script.write_text("#!/bin/sh\necho cgw_in-the-script-0123456789abcdef\n")
    script.chmod(mode)
    (tmp_path / "open").write_text("cgw_in-the-file-0123456789abcdef")
    (tmp_path / "open").chmod(0o644)
    write(home, apiKeyHelper=helper.format(folder=tmp_path), env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    outcome = setup("--check")
    assert outcome.code == 1
    assert any(line.startswith("FAIL  apiKeyHelper") and said in line for line in outcome.stdout.splitlines()), (
        outcome.stdout
    )
    assert "cgw_" not in outcome.stdout


def test_a_token_that_ends_before_it_is_renewed(setup: Setup, home: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(Cluster().token(lifetime=100))
    write(home, apiKeyHelper=f"cat {tmp_path}/token", env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    outcome = setup("--check")
    assert "Claude Code keeps it for 300 s" in outcome.stdout
    assert "Set CLAUDE_CODE_API_KEY_HELPER_TTL_MS=" in outcome.stdout


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_a_credential_in_the_shell_wins_over_the_helper(setup: Setup, home: Path, name: str) -> None:
    write(home, apiKeyHelper="echo x", env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    outcome = setup("--check", **{name: "secret-of-the-shell"})
    assert f"FAIL  overrides: {name} is set in this shell" in outcome.stdout
    assert f"unset {name}" in outcome.stdout
    assert "secret-of-the-shell" not in outcome.stdout


def test_settings_of_the_project_win(setup: Setup, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, apiKeyHelper="echo x", env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    local = project / ".claude" / "settings.local.json"
    local.write_text('{"apiKeyHelper": "echo y", "env": {"ANTHROPIC_BASE_URL": "https://other.example"}}')
    monkeypatch.chdir(project)
    outcome = setup("--check")
    assert f"FAIL  overrides: {local} wins over this file: ANTHROPIC_BASE_URL, apiKeyHelper" in outcome.stdout


def test_a_key_in_a_file_that_others_read(setup: Setup, home: Path) -> None:
    write(home, env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "ANTHROPIC_AUTH_TOKEN": builders.CLIENT_KEY})
    path = home / ".claude" / "settings.json"
    path.chmod(0o644)
    assert "FAIL  settings" in setup("--check").stdout
    path.chmod(0o600)
    assert "FAIL  settings" not in setup("--check").stdout


def test_old_settings_are_explained(setup: Setup, home: Path) -> None:
    write(home, apiKeyHelper="echo x", env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    outcome = setup("--check", CLAUDE_CODE_API_KEY_HELPER="x", CLAUDE_CODE_API_KEY_HELPER_TTL_MS="300")
    assert "WARN  CLAUDE_CODE_API_KEY_HELPER: Claude Code does not read this variable" in outcome.stdout
    assert "If seconds were meant, write 300000" in outcome.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--url", "llm.example.com", "--helper", "x"),
        ("--url", "https://llm.example.com"),
        ("--check", "--url", "https://llm.example.com"),
        ("--helper", "x", "--key-file", __file__, "--url", "https://llm.example.com"),
    ],
)
def test_wrong_usage_is_said(setup: Setup, home: Path, arguments: tuple[str, ...]) -> None:
    assert setup(*arguments).code == 2
    assert not (home / ".claude" / "settings.json").exists()


def test_nothing_is_there_yet(setup: Setup) -> None:
    outcome = setup("--check")
    assert outcome.code == 1
    assert "does not exist" in outcome.stdout
    assert "neither apiKeyHelper nor ANTHROPIC_AUTH_TOKEN" in outcome.stdout
