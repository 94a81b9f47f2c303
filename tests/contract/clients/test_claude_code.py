"""The real Claude Code CLI through the real gateway, to both wires."""

import json
from pathlib import Path

import pytest
from tests.support import cli, scan
from tests.support.gateway import System
from tests.support.targets import ANTHROPIC, Target

from claude_gateway_scripted import Scripted

STREAM = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]


def claude(
    stack: System, target: Target, *arguments: str, key: str | None = None, cwd: Path | None = None
) -> cli.Result:
    """Run one prompt; whatever it is, no other host may be wanted and no key printed."""
    done = cli.run(["-p", *arguments], url=stack.url, key=key or stack.key, model=target.model, cwd=cwd)
    assert done.other_hosts == ()
    assert scan.found([stack.key], done.stdout + done.stderr) == []
    return done


def test_a_prompt_is_answered(stack: System, upstream: Scripted, target: Target) -> None:
    done = claude(stack, target, "say [[words 40]]")
    assert done.rc == 0, done
    assert done.stdout.split() == [f"word{number}" for number in range(1, 41)]
    assert [target.saw(request) for request in upstream.requests] == [True]
    assert upstream.last.status == 200


def test_an_answer_is_streamed(stack: System, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two three", "usage": {"input": 100, "cache_read": 40, "output": 9}})
    done = claude(stack, target, *STREAM, "hello")
    assert done.rc == 0, done
    kinds = [event["type"] for event in done.stream_events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    deltas = [event["delta"] for event in done.stream_events if event["type"] == "content_block_delta"]
    assert len(deltas) > 1
    assert "".join(delta["text"] for delta in deltas) == "one two three"
    assert done.result["result"] == "one two three"
    usage = done.result["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (100, 40, 9)
    assert target.saw(upstream.last)
    assert upstream.last.json["stream"] is True


def test_a_tool_goes_round(stack: System, upstream: Scripted, target: Target, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("the word is ultramarine\n")
    prompt = f'[[tool Read {{"file_path": "{note}"}}]]'
    done = claude(stack, target, *STREAM, "--allowedTools", "Read", "--", prompt, cwd=tmp_path)
    assert done.rc == 0, done
    assert done.result["num_turns"] == 2
    assert "ultramarine" in done.result["result"]
    first, second = upstream.requests
    assert b"ultramarine" not in first.body
    assert b"ultramarine" in second.body
    assert target.saw(second)


def test_parallel_tools_go_round(stack: System, upstream: Scripted, target: Target, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"content of {name}")
    prompt = " ".join(f'[[tool Read {{"file_path": "{tmp_path / name}"}}]]' for name in ("one", "two"))
    done = claude(stack, target, *STREAM, "--allowedTools", "Read", "--", prompt, cwd=tmp_path)
    assert done.rc == 0, done
    said = done.result["result"]
    # In the order in which they ended; the upstream refuses a result whose call id is not the one that it gave.
    assert "content of one" in said
    assert "content of two" in said
    assert len(upstream.requests) == 2


def test_a_command_is_run(stack: System, upstream: Scripted, target: Target) -> None:
    prompt = '[[tool Bash {"command": "echo $((6*7))", "description": "multiply"}]]'
    done = claude(stack, target, "--allowedTools", "Bash", "--", prompt)
    assert (done.rc, done.stdout.strip()) == (0, 'tool said: ["42"]')


def test_an_agent_of_its_own_asks_too(stack: System, upstream: Scripted, target: Target) -> None:
    task = {"description": "errand", "prompt": "hello from inside", "subagent_type": "general-purpose"}
    done = claude(stack, target, "--allowedTools", "Agent", "--", f"[[tool Agent {json.dumps(task)}]]")
    assert done.rc == 0, done
    assert all(target.saw(request) for request in upstream.requests)
    agents = [request.header("x-claude-code-agent-id") for request in upstream.requests]
    # Only the relay lane passes the client's headers on; the translated one is known by its prompt.
    assert len(set(agents) - {None}) == (target is ANTHROPIC)
    assert any(request.body.count(b"hello from inside") == 1 for request in upstream.requests[1:])


def test_the_context_is_shown_without_a_billed_request(stack: System, upstream: Scripted, target: Target) -> None:
    done = claude(stack, target, "/context")
    assert done.rc == 0, done
    assert "System prompt" in done.stdout
    assert {request.path for request in upstream.requests} <= {"/v1/messages/count_tokens"}


def test_the_session_is_logged_and_nothing_said_is(stack: System, upstream: Scripted, target: Target) -> None:
    before = len(stack.requests(count=0))
    done = claude(stack, target, *STREAM, "a very private matter")
    line = stack.requests(count=before + 1)[-1]
    assert line["session"] == done.result["session_id"]
    assert "very private" not in stack.logs


def test_a_wrong_key_ends_at_once(stack: System, upstream: Scripted, target: Target) -> None:
    before = len(stack.requests(count=0))
    done = claude(stack, target, "hello", key="cgw_wrong")
    assert done.rc == 1
    assert "the gateway does not know this key" in done.stdout
    # Without `x-should-retry: false` the CLI would try for minutes.
    assert [line["status"] for line in stack.requests(count=before + 1)[before:]] == [401]
    assert upstream.requests == ()


def test_an_unknown_model_ends_with_a_reason(stack: System, upstream: Scripted) -> None:
    nowhere = Target("claude-nowhere", "", "", "")
    done = claude(stack, nowhere, "hello")
    assert done.rc == 1
    assert "claude-nowhere" in done.stdout + done.stderr
    assert upstream.requests == ()


@pytest.mark.parametrize("status", [429, 529])
def test_an_overload_is_ridden_out(stack: System, upstream: Scripted, target: Target, status: int) -> None:
    upstream.script({"status": status, "headers": {"retry-after": "0"}, "error_message": "busy"})
    done = claude(stack, target, "hello")
    assert (done.rc, done.stdout.strip()) == (0, "echo: hello")
