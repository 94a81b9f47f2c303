"""Every example is sound, renders, lets Claude Code's own model names in, and tells how to use it."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
from tests.support.processes.command import call

from claude_gateway.cli import samples
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.target import Format

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
# Others have values and objects for tools around the gateway; the chart's tests check them.
FOLDERS: Final = sorted({path.parent for path in EXAMPLES.rglob("*.yaml") if "claudegateway.io/" in path.read_text()})
# What Claude Code 2.1.328 sends by default and for --model opus, sonnet and haiku.
CLAUDE_CODE: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")

each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(EXAMPLES)))


def variables(folder: Path) -> dict[str, str | None]:
    """A value for every variable that an example names."""
    found = re.findall(r"\$([A-Z][A-Z_]+)\b", "".join(path.read_text() for path in folder.glob("*.yaml")))
    return {name: f"cgw_value-of-{name}-0123456789" for name in found}


def policy(folder: Path) -> Policy:
    outcome = call("render", "-f", folder, environment=variables(folder))
    assert outcome.code == 0, outcome.stderr
    return Policy.model_validate_json(outcome.stdout.splitlines()[1])


def test_there_are_examples() -> None:
    names = {str(folder.relative_to(EXAMPLES)) for folder in FOLDERS}
    assert names >= {"quickstart/anthropic", "quickstart/openai", "quickstart/scripted", "team", "failover", "gemini"}
    assert names >= {"bedrock", "vertex", "pass-through", "openai-models", "ollama-vllm", "fits"}


@each
def test_an_example_is_sound(folder: Path) -> None:
    # Each says in its first lines how to serve it: one of them with authorities that verify certificates.
    outcome = call("lint", "-f", folder, "--client-certificates", "--format", "json", environment=variables(folder))
    assert json.loads(outcome.stdout) == []
    assert outcome.code == 0


@each
def test_an_example_serves_all_its_routes(folder: Path) -> None:
    found = policy(folder)
    assert found.routes
    assert all(route.targets for route in found.routes)
    assert all(samples.name_for(route, samples.Served(found.routes)) for route in found.routes)


@each
def test_an_example_says_how_to_serve_it(folder: Path) -> None:
    texts = [path.read_text() for path in sorted(folder.glob("*.yaml"))]
    assert all(text.startswith("# ") for text in texts)
    assert any(f"claude-gateway serve -f examples/{folder.relative_to(EXAMPLES)}" in text for text in texts)


@pytest.mark.parametrize("name", ["anthropic", "openai", "scripted", "local"])
def test_a_quickstart_takes_claude_codes_and_openais_names(name: str) -> None:
    routes = policy(EXAMPLES / "quickstart" / name).routes
    assert {samples.Served(routes).winner(model) for model in CLAUDE_CODE} == {"default/claude"}
    assert samples.Served(routes).winner("gpt-5.4") == "default/gpt"
    assert samples.Served(routes).winner("gpt-never-heard-of") == "default/gpt"


@pytest.mark.parametrize("name", ["openai-models", "gemini"])
def test_a_model_for_each_size(name: str) -> None:
    routes = policy(EXAMPLES / name).routes
    targets = {route.name: route.targets[0].model for route in routes}
    served = samples.Served(routes)
    big, small = (targets[served.winner(model) or ""] for model in ("claude-sonnet-5-5", "claude-haiku-5-5"))
    assert big != small


@pytest.mark.parametrize("name", ["bedrock", "vertex", "pass-through"])
def test_claude_codes_names_are_relayed_as_they_are(name: str) -> None:
    routes = policy(EXAMPLES / name).routes
    targets = {route.name: route.targets[0] for route in routes}
    for model in CLAUDE_CODE:
        assert Format.MESSAGES in targets[samples.Served(routes).winner(model) or ""].formats


def test_a_codex_model_is_asked_in_the_only_way_it_has() -> None:
    routes = policy(EXAMPLES / "openai-models").routes
    targets = {route.name: route.targets[0] for route in routes}
    assert targets[samples.Served(routes).winner("claude-codex") or ""].formats == (Format.RESPONSES,)
