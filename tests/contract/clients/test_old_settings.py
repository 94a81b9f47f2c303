"""What the settings that other guides name really do, as `setup --check` and the how-to explain them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.targets import ANTHROPIC, ANTHROPIC_KEY, ROUTES
from tests.support.clients import cli
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[System, Scripted]]:
    with Scripted() as upstream, System() as system:
        others = (secret(name, ANTHROPIC_KEY) for name in ("anthropic", "openai", "google"))
        system.apply(ROUTES.format(url=upstream.url), *others)
        yield system, upstream


@pytest.fixture
def stack(running: tuple[System, Scripted]) -> System:
    return running[0]


def hello(
    stack: System, home: Path, release: cli.Release, settings: dict[str, Any] | None = None, **environment: str
) -> tuple[cli.Result, list[dict[str, Any]]]:
    """Say hello; gives also what the gateway logged of it."""
    before = len(stack.requests(count=0))
    (home / "settings.json").write_text(json.dumps(settings or {}))
    given = {"ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_MAX_RETRIES": "0", **environment}
    words = ["--settings", str(home / "settings.json"), "-p", "hello"]
    done = cli.run(words, url=stack.url, key="", model=ANTHROPIC.model, release=release, home=home, environment=given)
    return done, stack.requests(count=before)[before:]


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_helper_in_a_variable_is_not_run(stack: System, tmp_path: Path, release: cli.Release) -> None:
    mark = tmp_path / "ran"
    done, lines = hello(stack, tmp_path, release, CLAUDE_CODE_API_KEY_HELPER=f"touch {mark}; echo {stack.key}")
    assert (done.rc, lines, mark.exists()) == (1, [], False)


@pytest.mark.parametrize("release", cli.RELEASES)
@pytest.mark.parametrize("ttl", ["300000", "five minutes", "5m", "-1"])
def test_what_a_ttl_does_that_is_no_number(stack: System, tmp_path: Path, release: cli.Release, ttl: str) -> None:
    asked = tmp_path / "asked"
    helper = {"apiKeyHelper": f"echo >> {asked}; echo {stack.key}"}
    done, lines = hello(stack, tmp_path, release, helper, CLAUDE_CODE_API_KEY_HELPER_TTL_MS=ttl)
    assert (done.rc, {line["status"] for line in lines}) == (0, {200}), done.stdout + done.stderr
    # It is read as 5 milliseconds.
    assert (len(asked.read_text()) > 1) == (ttl == "5m")


@pytest.mark.parametrize("release", cli.RELEASES)
def test_bedrocks_variables_alone_do_nothing(stack: System, tmp_path: Path, release: cli.Release) -> None:
    alone: dict[str, Any] = {"ANTHROPIC_BEDROCK_BASE_URL": NOWHERE, "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1"}
    done, lines = hello(stack, tmp_path, release, ANTHROPIC_AUTH_TOKEN=stack.key, **alone)
    assert (done.rc, {line["status"] for line in lines}) == (0, {200})


@pytest.mark.parametrize("release", cli.RELEASES)
def test_in_bedrock_mode_the_base_url_is_ignored(stack: System, tmp_path: Path, release: cli.Release) -> None:
    mode: dict[str, Any] = {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_SKIP_BEDROCK_AUTH": "1",
        "ANTHROPIC_BEDROCK_BASE_URL": f"{stack.url}/bedrock",
        "AWS_REGION": "us-east-1",
        "ANTHROPIC_BASE_URL": NOWHERE,
    }
    done, lines = hello(stack, tmp_path, release, ANTHROPIC_AUTH_TOKEN=stack.key, **mode)
    assert (done.rc, {line["status"] for line in lines}) == (0, {200}), done.stdout + done.stderr


@pytest.mark.parametrize("release", cli.RELEASES)
def test_the_settings_file_wins_over_the_shell(stack: System, tmp_path: Path, release: cli.Release) -> None:
    settings = {"apiKeyHelper": f"echo {stack.key}", "env": {"ANTHROPIC_BASE_URL": stack.url}}
    done, lines = hello(stack, tmp_path, release, settings, ANTHROPIC_BASE_URL=NOWHERE)
    assert (done.rc, {line["status"] for line in lines}) == (0, {200})


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_token_in_the_shell_wins_over_the_helper(stack: System, tmp_path: Path, release: cli.Release) -> None:
    helper = {"apiKeyHelper": f"echo {stack.key}"}
    done, lines = hello(stack, tmp_path, release, helper, ANTHROPIC_AUTH_TOKEN="cgw_of-the-shell-0123456789")
    assert done.rc == 1
    assert 401 in {line["status"] for line in lines}


@pytest.mark.parametrize("name", ["ANTHROPIC_TIMEOUT", "ANTHROPIC_TIMEOUT_MS", "CLAUDE_CODE_TIMEOUT_MS"])
def test_other_timeouts_are_not_read(stack: System, tmp_path: Path, name: str) -> None:
    done, _ = hello(stack, tmp_path, "newest", None, ANTHROPIC_AUTH_TOKEN=stack.key, **{name: "1"})
    assert done.rc == 0


def test_the_timeout_is_in_milliseconds(stack: System, tmp_path: Path) -> None:
    done, _ = hello(stack, tmp_path, "newest", ANTHROPIC_AUTH_TOKEN=stack.key, API_TIMEOUT_MS="1")
    assert done.rc == 1
