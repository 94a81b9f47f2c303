"""Codex and OpenCode, the real ones, through the real gateway to a Claude: a tool call, its result and an answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders import scan
from tests.support.builders.targets import ANTHROPIC
from tests.support.clients import coding_agents
from tests.support.clients.coding_agents import Run
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

ASKED = "What does note.txt say?"
SAID = "The note says forty-two."


def script(upstream: Scripted, tool: str, arguments: dict[str, Any]) -> None:
    """Let the model read the file and then answer; whatever else is asked (a title) is echoed."""
    upstream.script(
        {"thinking": "so that is it", "text": SAID, "match": "tool_result"},
        {"thinking": "I will read it", "tools": [[tool, arguments]], "match": f'"{tool}"'},
    )


def checked(run: Run, stack: System) -> Run:
    assert run.rc == 0, run
    assert scan.found([stack.key], run.stdout + run.stderr) == []
    return run


def loop(upstream: Scripted) -> list[dict[str, Any]]:
    """The requests of the loop of calls, as Claude got them."""
    requests = [json.loads(request.body) for request in upstream.requests]
    return [request for request in requests if request.get("tools")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "note.txt").write_text("forty-two")
    return tmp_path


@pytest.mark.parametrize("websockets", [False, True])
def test_codex_reads_a_file_and_keeps_its_thinking(
    stack: System, upstream: Scripted, home: Path, websockets: bool
) -> None:
    script(upstream, "exec_command", {"cmd": "cat note.txt"})
    run = coding_agents.codex(
        ASKED, url=stack.url, key=stack.key, model=ANTHROPIC.model, home=home, websockets=websockets
    )
    items = [event["item"] for event in checked(run, stack).events if event["type"] == "item.completed"]
    said = {item["type"]: item.get("text") or item.get("aggregated_output") for item in items}
    assert (said["agent_message"], said["command_execution"], said["reasoning"]) == (SAID, "forty-two", "so that is it")
    first, second = loop(upstream)
    assert [block["type"] for block in second["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert second["messages"][1]["content"][0]["signature"]
    assert first["thinking"] == second["thinking"]
    assert first["max_tokens"] == second["max_tokens"] > 32_000


@pytest.mark.parametrize("package", ["@ai-sdk/openai-compatible", "@ai-sdk/openai"])
def test_opencode_reads_a_file(stack: System, upstream: Scripted, home: Path, package: str) -> None:
    script(upstream, "bash", {"command": "cat note.txt", "description": "reads the note"})
    run = coding_agents.opencode(ASKED, url=stack.url, key=stack.key, model=ANTHROPIC.model, home=home, package=package)
    parts = [event["part"] for event in checked(run, stack).events if "part" in event]
    assert [part["text"] for part in parts if part["type"] == "text"] == [SAID]
    assert [part["state"]["output"] for part in parts if part["type"] == "tool"] == ["forty-two"]
    last = loop(upstream)[-1]
    assert last["messages"][-1]["content"][0]["type"] == "tool_result"
