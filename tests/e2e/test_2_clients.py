"""The real SDKs and the real Claude Code CLI, as pods that call the Service, to both wires."""

import json
from typing import Any

import pytest
from tests.e2e.release import Gateway
from tests.support.builders.targets import Target
from tests.support.kube import pods as kubepods

WORDS = " ".join(f"word{number}" for number in range(1, 13))


@pytest.fixture(params=[0, 1], ids=["to-anthropic", "to-openai"])
def target(request: pytest.FixtureRequest, gateway: Gateway) -> Target:
    """Each wire in turn."""
    return gateway.targets[int(request.param)]


@pytest.mark.parametrize("sdk", ["anthropic", "openai"])
def test_an_sdk_streams_and_takes_a_tool_round(
    gateway: Gateway, upstream: kubepods.Upstream, target: Target, sdk: str
) -> None:
    seen = kubepods.program(gateway.kube, gateway.pod, f"sdk_{sdk}.py", target.model)

    assert seen["text"] == WORDS
    assert seen["pieces"] > 1
    assert seen["calls"] == [["weather", {"city": "Wien"}]]
    assert seen["after"] == 'tool said: ["sun"]'
    assert set(seen["models"]) == {target.model for target in gateway.targets}
    requests = upstream.requests
    assert [target.saw(request) for request in requests] == [True] * 3
    assert [bool(request.json.get("stream")) for request in requests] == [True, True, False]


def test_claude_code_streams(gateway: Gateway, upstream: kubepods.Upstream, target: Target) -> None:
    events = _claude(gateway, target, "say [[words 12]]")

    deltas = [event["event"].get("delta", {}).get("text") for event in events if event["type"] == "stream_event"]
    pieces = [text for text in deltas if text]
    assert len(pieces) > 1
    assert "".join(pieces) == events[-1]["result"] == WORDS
    assert [target.saw(request) for request in upstream.requests] == [True]


def test_claude_code_takes_a_tool_round(gateway: Gateway, upstream: kubepods.Upstream, target: Target) -> None:
    note = "/home/client/note.txt"
    kubepods.run(gateway.kube, gateway.pod, "sh", "-c", f"echo the word is ultramarine >{note}")
    events = _claude(gateway, target, "--allowedTools", "Read", "--", f'[[tool Read {{"file_path": "{note}"}}]]')

    assert events[-1]["num_turns"] == 2
    assert "ultramarine" in events[-1]["result"]
    first, second = upstream.requests
    assert b"ultramarine" not in first.body
    assert b"ultramarine" in second.body
    assert target.saw(second)


def _claude(gateway: Gateway, target: Target, *arguments: str) -> list[dict[str, Any]]:
    """Run one prompt with the genuine CLI in the client pod and return its events, the result last."""
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    printed = kubepods.run(
        gateway.kube, gateway.pod, "claude-newest", "-p", "--model", target.model, *stream, *arguments
    )
    events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert events[-1]["type"] == "result"
    return events
