"""The agents of the compatibility page: how each is run, in which formats, and which tool reads a file."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.clients import cli, coding_agents

ROOT: Final = Path(__file__).resolve().parents[2]

NOTE: Final = "note.txt"
ASKED: Final = f"What does {NOTE} say?"
EDIT: Final = "Replace the colour by vermilion."

Done = cli.Result | coding_agents.Run
Run = Callable[[str, str, str, Path], Done]
"""Address, key, model and home folder to what the agent did."""


@dataclass(frozen=True, slots=True)
class Way:
    """One format of an agent. ``tool`` is the name and the input that read the note; None: it has no tools."""

    format: str
    run: Run
    tool: Callable[[Path], tuple[str, Mapping[str, Any]]] | None


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent in one pinned version; ``key`` names its results."""

    key: str
    name: str
    version: str
    ways: Sequence[Way]


def npm_version(folder: str, package: str) -> str:
    """Return the version of a client that ``tests/clients`` pins."""
    lock = json.loads((ROOT / "tests" / "clients" / folder / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def python_version(lock: str, package: str) -> str:
    """Return the version of a client that a file of ``locks`` pins. Raises ValueError if there is none."""
    found = re.search(rf"^{package}==(\S+)", (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"locks/{lock}.txt does not pin {package}")
    return found[1]


def _claude_code(release: cli.Release) -> Run:
    arguments = ["-p", "--output-format", "json", "--allowedTools", "Read", "--", ASKED]
    return lambda url, key, model, home: cli.run(arguments, url=url, key=key, model=model, home=home, release=release)


def _codex(url: str, key: str, model: str, home: Path) -> Done:
    return coding_agents.codex(ASKED, url=url, key=key, model=model, home=home)


def _opencode(package: str) -> Run:
    return lambda url, key, model, home: coding_agents.opencode(
        ASKED, url=url, key=key, model=model, home=home, package=package
    )


def _continue(provider: str) -> Run:
    return lambda url, key, model, home: coding_agents.continue_(
        ASKED, url=url, key=key, model=model, home=home, provider=provider
    )


def _aider(provider: str) -> Run:
    return lambda url, key, model, home: coding_agents.aider(
        EDIT, url=url, key=key, model=model, home=home, provider=provider
    )


def _read(home: Path) -> tuple[str, Mapping[str, Any]]:
    return "Read", {"file_path": str(home / NOTE)}


def _shell(name: str, argument: str, **more: str) -> Callable[[Path], tuple[str, Mapping[str, Any]]]:
    return lambda _: (name, {argument: f"cat {NOTE}", **more})


def _filepath(home: Path) -> tuple[str, Mapping[str, Any]]:
    return "Read", {"filepath": str(home / NOTE)}


_BASH: Final = _shell("bash", "command", description="reads the note")

AGENTS: Final = (
    *(
        Agent(
            f"claude-code-{release}",
            "Claude Code",
            npm_version(f"claude-code-{release}", "@anthropic-ai/claude-code"),
            [Way("Messages", _claude_code(release), _read)],
        )
        for release in cli.RELEASES
    ),
    Agent(
        "codex",
        "Codex CLI",
        npm_version("codex", "@openai/codex"),
        [Way("Responses", _codex, _shell("exec_command", "cmd"))],
    ),
    Agent(
        "opencode",
        "OpenCode",
        npm_version("opencode", "opencode-linux-x64"),
        [
            Way("Chat", _opencode("@ai-sdk/openai-compatible"), _BASH),
            Way("Responses", _opencode("@ai-sdk/openai"), _BASH),
        ],
    ),
    Agent(
        "continue",
        "Continue CLI",
        npm_version("continue", "@continuedev/cli"),
        [Way("Chat", _continue("openai"), _filepath), Way("Messages", _continue("anthropic"), _filepath)],
    ),
    Agent(
        "aider",
        "Aider",
        python_version("aider", "aider-chat"),
        [Way("Chat", _aider("openai"), None), Way("Messages", _aider("anthropic"), None)],
    ),
)
