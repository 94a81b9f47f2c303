"""Coding agents besides Claude Code, in an environment made of nothing: Codex, OpenCode, Continue and Aider."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.clients import cli

PATIENCE: Final = 240.0
"""Seconds until a run is ended: OpenCode and Aider take long to start for the first time."""

_CODEX: Final = """\
model = "{model}"
model_provider = "gateway"
model_reasoning_effort = "high"
model_reasoning_summary = "auto"

[model_providers.gateway]
name = "Claude Gateway"
base_url = "{url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
supports_websockets = {websockets}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run said; ``events`` are its lines of JSON. ``other_hosts`` are hosts it wanted besides the gateway."""

    rc: int
    stdout: str
    stderr: str
    other_hosts: tuple[str, ...]

    @property
    def events(self) -> Iterator[dict[str, Any]]:
        """Each line of JSON on the standard output."""
        return (json.loads(line) for line in self.stdout.splitlines() if line.startswith("{"))


def codex(prompt: str, *, url: str, key: str, model: str, home: Path, websockets: bool = False) -> Run:
    """Run one prompt with Codex, in ``home``."""
    settings = home / ".codex"
    settings.mkdir()
    written = _CODEX.format(model=model, url=url, websockets=str(websockets).lower())
    (settings / "config.toml").write_text(written)
    arguments = ["exec", "--skip-git-repo-check", "--json", "-s", "danger-full-access", prompt]
    return _run(
        [*_binary("codex", "@openai/codex-*/vendor/*/bin/codex"), *arguments], home=home, more={"GATEWAY_KEY": key}
    )


def opencode(prompt: str, *, url: str, key: str, model: str, home: Path, package: str) -> Run:
    """Run one prompt with OpenCode, in ``home``, over one of the AI SDK's providers."""
    options = {"baseURL": f"{url}/v1", "apiKey": key}
    offered = {model: {"name": model, "reasoning": True, "tool_call": True, "options": {"reasoningEffort": "high"}}}
    provider = {"npm": package, "name": "Claude Gateway", "options": options, "models": offered}
    named = f"gateway/{model}"
    document = {
        "autoupdate": False,
        "share": "disabled",
        "model": named,
        "small_model": named,
        "enabled_providers": ["gateway"],
        "provider": {"gateway": provider},
    }
    (home / "opencode.json").write_text(json.dumps(document))
    names = ("AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD")
    quiet = {f"OPENCODE_DISABLE_{name}": "1" for name in names}
    return _run(
        [*_binary("opencode", "opencode-*/bin/opencode"), "run", "--format", "json", prompt], home=home, more=quiet
    )


def continue_(prompt: str, *, url: str, key: str, model: str, home: Path, provider: str) -> Run:
    """Run one prompt with Continue's CLI, in ``home``; ``provider`` is ``openai`` or ``anthropic``."""
    offered = {
        "name": model,
        "provider": provider,
        "model": model,
        "apiBase": f"{url}/v1/",
        "apiKey": key,
        "roles": ["chat"],
        "capabilities": ["tool_use"],
    }
    settings = home / "continue.yaml"
    settings.write_text(json.dumps({"name": "gateway", "version": "1.0.0", "schema": "v1", "models": [offered]}))
    program = cli.CLIENTS / "continue" / "node_modules" / "@continuedev" / "cli" / "dist" / "cn.js"
    assert program.exists(), "Continue is not installed: make setup-agents (needs npm)"
    return _run(["node", str(program), "-p", "--auto", "--config", str(settings), prompt], home=home, more={})


def aider(prompt: str, *, url: str, key: str, model: str, home: Path, provider: str) -> Run:
    """Let Aider edit ``note.txt`` in ``home`` as the prompt asks; ``provider`` is ``openai`` or ``anthropic``.

    It has no tools: the model writes the file's new text into its answer.
    """
    program = cli.CLIENTS / "aider" / "bin" / "aider"
    assert program.exists(), "Aider is not installed: make setup-agents"
    name = provider.upper()
    address = {"openai": f"{url}/v1", "anthropic": url}[provider]
    refused = ("analytics", "check-update", "git", "show-model-warnings", "show-release-notes", "detect-urls", "pretty")
    arguments = [*(f"--no-{name}" for name in refused), "--yes-always", "--edit-format", "whole", "--message", prompt]
    return _run(
        [str(program), "--model", f"{provider}/{model}", *arguments, "note.txt"],
        home=home,
        more={f"{name}_API_BASE": address, f"{name}_API_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )


def _binary(client: str, pattern: str) -> list[str]:
    """The binary of the platform's package, so that no Node is needed."""
    places = sorted((cli.CLIENTS / client / "node_modules").glob(pattern))
    found = [place for place in places if os.access(place, os.X_OK) and place.is_file()]
    assert found, f"{client} is not installed: make setup-clients (needs npm)"
    return [str(found[0])]


def _run(command: Sequence[str], *, home: Path, more: Mapping[str, str]) -> Run:
    with cli.deny_proxy() as (proxy, hosts):
        ended = subprocess.run(
            command,
            env={**cli.base_environment(home, proxy=proxy), **more},
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    return Run(ended.returncode, ended.stdout, ended.stderr, tuple(sorted(set(hosts))))
