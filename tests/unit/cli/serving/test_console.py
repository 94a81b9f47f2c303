"""What ``serve`` prints of its processes' log lines."""

import json

import pytest

from claude_gateway.cli.serving import console

REQUEST = {
    "time": "2026-11-21T09:00:00.123Z",
    "level": "info",
    "event": "request",
    "client": "default/alice",
    "route": "default/claude",
    "lane": "relay",
    "format": "Messages",
    "model": "claude-x\x1b[2J\n",
    "status": 200,
    "outcome": "ok",
    "attempts": 2,
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_tokens": 100,
    "cache_creation_tokens": 0,
    "ttft_ms": 310.4,
    "duration_ms": 1234.5,
    "upstream_errors": ["default/claude/0.ab: connect"],
}


def test_a_request_is_one_line_that_cannot_steer_the_terminal() -> None:
    line = console.request(REQUEST)
    assert line.isprintable()
    for part in ("200", "claude-x\\x1b[2J\\n → default/claude (relay)", "default/alice", "1.2 s", "first byte 310 ms"):
        assert part in line
    assert "110 → 5 tokens" in line
    assert "2 attempts" in line
    assert "connect" in line


def test_a_request_that_was_rejected_shows_why() -> None:
    rejected = {**REQUEST, "status": 404, "outcome": "client_error", "error": "no route serves the model"}
    assert "client_error  no route serves the model" in console.request(rejected)


def test_text_shows_requests_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console.Console(json_lines=False)
    shown.line("gateway", json.dumps(REQUEST))
    shown.line("claude code", json.dumps({"event": "request", "level": "info", "endpoint": "/v1/messages"}))
    shown.line("agent", json.dumps({"event": "bundle swapped", "level": "info"}))
    shown.line("litellm", json.dumps({"event": "broken", "level": "error", "why": "x", "at": ["a.py:1 f", "b.py:2 g"]}))
    shown.line("litellm", "no json")
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "swapped" not in captured.out + captured.err
    assert "litellm: error: broken why=x\n  a.py:1 f\n  b.py:2 g\n" in captured.err
    assert "litellm: no json" in captured.err


def test_json_keeps_every_line_and_says_whose(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console.Console(json_lines=True)
    shown.line("gateway", json.dumps(REQUEST))
    shown.line("agent", json.dumps({"event": "bundle swapped", "level": "info"}))
    shown.line("litellm", "no json")
    shown.warn("careful", event="careful", child="x")
    shown.block("for people")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["process"] for line in lines] == ["gateway", "agent", "litellm", "serve"]
    assert lines[0]["model"] == REQUEST["model"]
    assert lines[2]["text"] == "no json"
    assert (lines[3]["level"], lines[3]["child"]) == ("warning", "x")
