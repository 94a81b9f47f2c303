"""The real Claude Code CLI in every mode, to every kind of target."""

from pathlib import Path

import pytest
from tests.support import cli, scan
from tests.support.clouds import MODES, TARGETS, Mode, Target
from tests.support.gateway import System

from claude_gateway_scripted import Scripted

STREAM = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]


def claude(
    stack: System, mode: Mode, target: Target, *arguments: str, cwd: Path | None = None, release: cli.Release = "newest"
) -> cli.Result:
    """Run one prompt; no other host may be wanted, and no key printed."""
    environment = mode.settings(url=stack.url, key=stack.key)
    given = [*mode.arguments, "-p", *arguments]
    done = cli.run(
        given,
        url=stack.url,
        key=stack.key,
        model=mode.model(target),
        cwd=cwd,
        environment=environment,
        release=release,
    )
    assert done.other_hosts == ()
    assert scan.found([stack.key], done.stdout + done.stderr) == []
    return done


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_tool_goes_round(
    stack: System, upstream: Scripted, mode: Mode, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("the word is ultramarine\n")
    upstream.script({"tools": [["Read", {"file_path": str(note)}]], "match": "what is the word", "usage": {"input": 5}})
    done = claude(
        stack, mode, target, *STREAM, "--allowedTools", "Read", "--", "what is the word?", cwd=tmp_path, release=release
    )
    assert done.rc == 0, (done.result, [(each.path, each.status) for each in upstream.requests])
    assert "ultramarine" in done.result["result"]
    asked = [request for request in upstream.requests if b"what is the word" in request.body]
    assert len(asked) == 2
    assert all(target.asked(request) for request in asked), [(each.path, each.status) for each in asked]
    assert b"ultramarine" in asked[1].body
    assert done.result["usage"]["output_tokens"] > 0
