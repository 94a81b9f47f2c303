"""The Vercel AI SDK, with each of its providers, through the real gateway to every kind of target."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.targets import Target
from tests.support.clients import cli
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

CALLS = Path(__file__).parents[2] / "clients" / "vercel-ai" / "calls.mjs"
FACES = ("anthropic", "openai", "responses")


def calls(stack: System, target: Target, face: str, folder: Path) -> dict[str, Any]:
    """Make all calls with one provider of the SDK; return what each returned."""
    installed = cli.CLIENTS / "vercel-ai" / "node_modules"
    assert installed.is_dir(), "the Vercel AI SDK is not installed: make setup-clients (needs npm)"
    node = shutil.which("node")
    assert node, "node is needed for the Vercel AI SDK"
    # A module finds its packages from where it stands.
    shutil.copy(CALLS, folder)
    (folder / "node_modules").symlink_to(installed)
    ended = subprocess.run(
        [node, folder / CALLS.name, stack.url, stack.key, target.model, face],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("face", FACES)
def test_every_kind_of_call_works(stack: System, upstream: Scripted, target: Target, face: str, tmp_path: Path) -> None:
    found = calls(stack, target, face, tmp_path)
    assert all(target.saw(request) for request in upstream.requests)
    assert (found["text"]["text"], found["text"]["finish"]) == ("echo: hello", "stop")
    assert found["text"]["usage"]["inputTokens"] > 0
    assert found["text"]["usage"]["outputTokens"] > 0
    assert found["stream"]["text"] == "word1 word2 word3 word4 word5"
    assert found["stream"]["pieces"] > 1
    assert found["stream"]["usage"]["outputTokens"] > 0
    assert found["tools"]["inputs"] == [{"city": "Wien", "days": [1, 2]}, {"city": "Graz"}]
    assert "sun in Wien" in found["tools"]["text"]
    assert "sun in Graz" in found["tools"]["text"]
    assert "sun in Wien" in found["streamedTools"]["text"]
    assert {"tool-call", "tool-result", "text-delta", "finish"} <= set(found["streamedTools"]["kinds"])
    assert set(found["object"]) == {"city", "sunny"}, found["object"]
    assert "what is it" in found["picture"]["text"]
    assert found["failure"] == {"known": True, "status": 429, "retryable": True}
