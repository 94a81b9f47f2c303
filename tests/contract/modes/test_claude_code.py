"""The real Claude Code CLI in every mode, to every kind of target."""

from pathlib import Path

import pytest
from tests.support.builders import scan
from tests.support.builders.clouds import MODES, TARGETS, Mode, Target
from tests.support.clients import cli
from tests.support.processes.gateway import System

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


_NAMES = [mode.name for mode in MODES]
_ONE_OF_EACH = [MODES[_NAMES.index(name)] for name in ("bedrock-token", "vertex-token", "foundry-key")]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", _ONE_OF_EACH, ids=str)
def test_a_stream_that_fails_is_asked_for_in_one_piece(
    stack: System, upstream: Scripted, mode: Mode, target: Target
) -> None:
    upstream.script({"midstream": "error", "midstream_after": 1, "text": "one two three", "match": "hello there"})
    done = claude(stack, mode, target, "hello there")
    assert (done.rc, done.stdout.strip()) == (0, "echo: hello there")
    asked = [request for request in upstream.requests if b"hello there" in request.body]
    assert len(asked) == 2
    assert [target.asked(request) for request in asked] == [True, True]


# Not `messages-helper`: there the CLI asks its helper for another key for minutes, whatever the answer says.
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.name != "messages-helper"], ids=str)
def test_a_wrong_key_ends_at_once_with_a_reason(stack: System, upstream: Scripted, mode: Mode) -> None:
    before = len(stack.requests(count=0))
    environment = mode.settings(url=stack.url, key="cgw_wrong")
    arguments = [*mode.arguments, "-p", "hello"]
    done = cli.run(arguments, url=stack.url, key="cgw_wrong", model=mode.model(TARGETS[0]), environment=environment)
    assert done.rc == 1
    assert done.stdout.strip()
    statuses = [line["status"] for line in stack.requests(count=before + 1)[before:]]
    # Some modes try a few models first, a key helper is asked once more; none of them goes on for minutes.
    assert set(statuses) == {401}
    assert len(statuses) <= 8
    assert upstream.requests == ()


def test_a_wrong_secret_key_is_told_apart(stack: System, upstream: Scripted) -> None:
    mode = MODES[_NAMES.index("bedrock-sigv4")]
    environment = mode.settings(url=stack.url, key=stack.key) | {"AWS_SECRET_ACCESS_KEY": "other"}
    done = cli.run(["-p", "hello"], url=stack.url, key=stack.key, model="claude-opus-4-1", environment=environment)
    assert done.rc == 1
    assert "AWS signature" in done.stdout
    assert upstream.requests == ()
