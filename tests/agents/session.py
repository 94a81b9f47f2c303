"""One session: an agent asks through the gateway, the model calls a tool, the result comes back, and it answers."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.agents.agents import NOTE, Way
from tests.support.builders import scan
from tests.support.builders.targets import ANTHROPIC, GEMINI, OPENAI, Target
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

UPSTREAMS: Final[Mapping[str, Target]] = {"Messages": ANTHROPIC, "Chat": OPENAI, "Gemini": GEMINI}
"""An upstream of each kind: what the model speaks, and its route."""

COLOUR: Final = "ultramarine"
"""Stands in the note and nowhere else: whatever contains it comes after the tool call."""
SAID: Final = "The note names a blue."
EDITED: Final = f"{NOTE}\n```\nvermilion\n```\n"


@dataclass(frozen=True, slots=True)
class Session:
    """What one session showed; ``fault`` is empty if all of it worked."""

    format: str
    upstream: str
    lane: str
    streamed: bool
    tool: str
    other_hosts: tuple[str, ...]
    fault: str


def play(way: Way, kind: str, stack: System, upstream: Scripted) -> Session:
    """Run one session. What goes wrong is part of the result."""
    target = UPSTREAMS[kind]
    upstream.forget()
    before = len(stack.processes["gateway"].lines("request"))
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        home = Path(folder)
        (home / NOTE).write_text(f"{COLOUR}\n")
        _script(way, home, upstream)
        try:
            done = way.run(stack.url, stack.key, target.model, home)
        except subprocess.TimeoutExpired:
            return Session(way.format, kind, "", False, "", (), "it did not end")
        left = (home / NOTE).read_text().strip()
    # A title or a count of tokens may be asked besides; what matters are the requests for answers.
    lines = stack.requests(count=before + 1)[before:]
    asked = [line for line in lines if line["format"] == way.format]
    return Session(
        format=way.format,
        upstream=kind,
        lane=", ".join(sorted({str(line["lane"]) for line in asked})),
        streamed=bool(asked) and all(line["stream"] for line in asked),
        tool="" if way.tool is None else way.tool(home)[0],
        other_hosts=tuple(sorted({_host(asked) for asked in done.other_hosts})),
        fault=_fault(done.rc, done.stdout + done.stderr, left=left, way=way, asked=asked, stack=stack),
    )


def _host(asked: str) -> str:
    """The host of ``METHOD host:port``. Which registry an agent would install from depends on the machine."""
    host = asked.split()[-1]
    return "a package registry" if host.startswith("registry.") else host


def _script(way: Way, home: Path, upstream: Scripted) -> None:
    if way.tool is None:
        upstream.script({"text": EDITED})
        return
    name, arguments = way.tool(home)
    upstream.script(
        {"text": SAID, "match": COLOUR},
        {"tools": [[name, dict(arguments)]], "match": f'"{name}"'},
    )


def _fault(rc: int, said: str, *, left: str, way: Way, asked: list[dict[str, Any]], stack: System) -> str:
    """Say what did not work; empty: everything did."""
    if scan.found([stack.key], said):
        return "it prints the key"
    if rc != 0:
        return f"it ended with {rc}"
    # An agent may leave as soon as it has the last event, before the stream ends.
    failed = [str(line.get("error") or line["outcome"]) for line in asked if line["outcome"] not in ("ok", "cancelled")]
    if failed:
        return f"a request failed: {json.dumps(failed[0])}"
    if way.tool is None:
        return "" if left == "vermilion" else "the file was not edited"
    return "" if SAID in said else "the answer after the tool call did not arrive"
