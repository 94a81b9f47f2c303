"""Claude Code's own list of a gateway's models: every route with a name that it keeps, as people call it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.clients import terminal
from tests.support.processes.gateway import System, client
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

NARROW_KEY: Final = "cgw_narrow-0123456789"
ROUTES: Final = """
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: gpt}}
spec:
  models: [gpt-5, "gpt-5-*"]
  displayName: GPT Five
  targets: [{{model: hosted_vllm/*, baseURL: "{url}/v1"}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: claude}}
spec:
  models: [claude-team, "claude-*"]
  displayName: Claude of the team
  targets: [{{model: anthropic/*, baseURL: "{url}"}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: llama}}
spec:
  models: [llama-3]
  targets: [{{model: hosted_vllm/*, baseURL: "{url}/v1"}}]
"""
# In the picker below the CLI's own.
LISTED: Final = [
    {"id": "claude-gpt-5", "display_name": "GPT Five"},
    {"id": "claude-llama-3", "display_name": "llama-3"},
    {"id": "claude-team", "display_name": "Claude of the team"},
]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[System, Scripted]]:
    with Scripted() as upstream, System() as system:
        system.apply(ROUTES.format(url=upstream.url), *client("narrow", NARROW_KEY, models=["gpt-5"]))
        yield system, upstream


def _cache(home: Path) -> list[dict[str, str]]:
    """What the CLI keeps of the list."""
    file = home / ".claude" / "cache" / "gateway-models.json"
    until(file.exists, what="the CLI's list of models")
    models: list[dict[str, str]] = json.loads(file.read_text())["models"]
    return models


@pytest.mark.parametrize(("narrow", "listed"), [(False, LISTED), (True, LISTED[:1])], ids=["all", "narrow"])
def test_the_picker_shows_every_route_and_the_choice_is_served(
    running: tuple[System, Scripted], tmp_path: Path, narrow: bool, listed: list[dict[str, str]]
) -> None:
    stack, upstream = running
    upstream.forget()
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    with terminal.claude(
        url=stack.url,
        key=NARROW_KEY if narrow else stack.key,
        home=home,
        cwd=cwd,
        model="claude-gpt-5",
        environment={"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"},
    ) as screen:
        assert sorted(_cache(home), key=lambda model: model["id"]) == listed
        screen.submit("/model")
        screen.shows("Select model")
        for model in listed:
            screen.shows(model["display_name"])
        screen.answer("Select model", "escape")
        screen.submit("say [[words 12]]")
        screen.shows("word12")
    main = [request for request in upstream.requests if b"[[words 12]]" in request.body]
    assert {request.json["model"] for request in main} == {"gpt-5"}
    assert {request.path for request in main} == {"/v1/chat/completions"}
