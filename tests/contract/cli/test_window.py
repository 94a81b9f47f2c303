"""Claude Code gets the context window of models that it does not know, as the running gateway lists it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.child import python
from tests.support.processes.command import call
from tests.support.processes.lone_gateway import LoneGateway

from claude_gateway.contract.client import Client

KEY: Final = "cgw_key-of-dev"
NAME: Final = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"


def _route(name: str, window: int | None) -> Any:
    # With the client's own login, because then the gateway is ready without a LiteLLM worker.
    there = target(base_url="http://127.0.0.1:9", context_window=window, forward_client_token=True)
    return route(name, targets=[there], alias=None if name.startswith("claude") else f"claude-{name.replace('/', '-')}")


@pytest.fixture(scope="module")
def gateway() -> Iterator[LoneGateway]:
    routes = [
        _route("claude-opus-5-5", 5000),
        _route("local", 131_072),
        _route("far/model", 262_144),
        _route("unknown", None),
        _route("pattern-*", 64_000),
    ]
    with LoneGateway(bundle(routes, clients=[Client(name="ns/dev")], keys={KEY: "ns/dev"})) as running:
        yield running


def _env(gateway: LoneGateway, *arguments: str, url: str = "", **environment: str) -> dict[str, str]:
    given = {"CLAUDE_GATEWAY_KEY": KEY, "ANTHROPIC_MODEL": None, NAME: None, **environment}
    done = call("env", *arguments, "--format", "json", "--url", url or gateway.url, environment=given)
    assert done.code == 0
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_without_a_chosen_model_it_is_the_smallest_that_claude_code_does_not_know(gateway: LoneGateway) -> None:
    assert _env(gateway)[NAME] == "131072"
    assert _env(gateway, "claude")[NAME] == "131072"
    assert NAME not in _env(gateway, "openai")
    assert NAME not in _env(gateway, "anthropic")


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("far/model", "262144"),
        ("claude-far-model", "262144"),
        ("far/model[1m]", "262144"),
        ("pattern-7", "64000"),
        ("unknown", None),
        ("nowhere", None),
        ("claude-opus-5-5", None),
    ],
)
def test_a_chosen_model_has_its_own(gateway: LoneGateway, model: str, window: str | None) -> None:
    assert _env(gateway, ANTHROPIC_MODEL=model).get(NAME) == window


def test_what_is_set_is_kept_and_without_a_gateway_nothing_is_said(gateway: LoneGateway) -> None:
    assert NAME not in _env(gateway, **{NAME: "7"})
    assert NAME not in _env(gateway, CLAUDE_GATEWAY_KEY="cgw_wrong")
    assert NAME not in _env(gateway, url="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--model", "far/model", "-p", "hi"), f"{NAME}=262144"),
        (("--model=far/model",), f"{NAME}=262144"),
        (("-p", "hi", "--model"), f"{NAME}=131072"),
        ((), f"{NAME}=131072"),
    ],
)
def test_run_sets_it_for_the_model_of_the_command(
    gateway: LoneGateway, tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    claude = tmp_path / "claude"
    claude.write_text("#!/bin/sh\nenv\n")
    claude.chmod(0o755)
    command = [*python("claude_gateway.cli"), "run", "--url", gateway.url, "--", "claude", *arguments]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CLAUDE_GATEWAY_KEY": KEY}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert line in ended.stdout.splitlines()
