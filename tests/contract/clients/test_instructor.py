"""instructor, in an environment of its own, through the real gateway to every kind of target: typed answers."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.builders.targets import Target
from tests.support.clients import cli
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

CALLS = Path(__file__).parents[2] / "clients" / "instructor" / "calls.py"
WIEN = {"name": "Wien", "days": [1, 2]}
CALL: dict[str, Any] = {"tools": [["City", WIEN]]}
TEXT: dict[str, Any] = {"text": json.dumps(WIEN)}
STEPS: dict[str, dict[str, Any]] = {
    "openai TOOLS": CALL,
    "openai JSON": TEXT,
    "openai JSON_SCHEMA": TEXT,
    "openai MD_JSON": {"text": f"```json\n{json.dumps(WIEN)}\n```"},
    "openai RESPONSES_TOOLS": CALL,
    "anthropic ANTHROPIC_TOOLS": CALL,
    "anthropic ANTHROPIC_JSON": TEXT,
    "openai streamed": CALL,
}


def test_every_way_gives_a_typed_answer(stack: System, upstream: Scripted, target: Target) -> None:
    # The first answer breaks the client's own rule: it asks again, with the call and its failure in the history.
    upstream.script({"tools": [["City", {"name": "Wien", "days": []}]]}, *STEPS.values())
    found = calls(stack, target)
    assert found == dict.fromkeys(STEPS, WIEN)
    assert all(target.saw(request) for request in upstream.requests)
    again = upstream.requests[1].body.decode()
    assert "give at least one day" in again


def calls(stack: System, target: Target) -> dict[str, Any]:
    """Return what each way of the library made of its answer."""
    python = cli.CLIENTS / "instructor" / "bin" / "python"
    assert python.exists(), "instructor is not installed: make setup-clients"
    ended = subprocess.run(
        [python, CALLS, stack.url, stack.key, target.model],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
