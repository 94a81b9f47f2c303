"""The real Claude Code CLI, newest and old, through the real gateway, to every kind of target."""

import base64
from pathlib import Path

import pytest
from tests.support.builders import scan
from tests.support.builders.targets import ANTHROPIC, GEMINI, OPENAI, RESPONSES, Target, streamed
from tests.support.clients import cli
from tests.support.clients.scenarios import EVENTS, PIXEL, SCENARIOS, Scenario, play
from tests.support.processes.gateway import System

from claude_gateway_scripted import Recorded, Scripted

RUNS = [
    *((target, "newest") for target in (ANTHROPIC, OPENAI, RESPONSES, GEMINI)),
    *((target, "old") for target in (ANTHROPIC, OPENAI)),
]
"""Which CLI asks for which target: the old one where the newest shows that the target is served at all."""

pytestmark = pytest.mark.parametrize(
    ("target", "release"), RUNS, ids=[f"{target}-{release}" for target, release in RUNS]
)


def claude(
    stack: System,
    target: Target,
    release: cli.Release,
    *arguments: str,
    key: str | None = None,
    environment: dict[str, str] | None = None,
) -> cli.Result:
    """Run one prompt; whatever it is, no other host may be wanted and no key printed."""
    given = ["-p", *EVENTS, *arguments]
    done = cli.run(
        given, url=stack.url, key=key or stack.key, model=target.model, release=release, environment=environment
    )
    return checked(done, stack)


def act(name: str, stack: System, upstream: Scripted, target: Target, release: cli.Release, home: Path) -> cli.Result:
    """Play a scenario; each of its requests must reach the target, and no other."""
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.name == name]
    done = played(scenario, stack, upstream, target, release, home)
    assert done.rc == 0, done
    assert [target.saw(request) for request in upstream.requests] == [True] * len(upstream.requests)
    return done


def played(
    scenario: Scenario, stack: System, upstream: Scripted, target: Target, release: cli.Release, home: Path
) -> cli.Result:
    run = play(
        scenario, url=stack.url, key=stack.key, upstream=upstream, release=release, home=home, model=target.model
    )
    return checked(run, stack)


def checked(done: cli.Result, stack: System) -> cli.Result:
    assert done.other_hosts == ()
    assert scan.found([stack.key], done.stdout + done.stderr) == []
    return done


def words(request: Recorded) -> str:
    return request.body.decode()


def test_a_prompt_is_answered_in_a_stream(
    stack: System, upstream: Scripted, target: Target, release: cli.Release
) -> None:
    upstream.script({"text": "one two three", "usage": {"input": 100, "cache_read": 40, "output": 9}})
    done = claude(stack, target, release, "hello")
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
    assert streamed(upstream.last)


def test_a_long_answer_comes_whole(stack: System, upstream: Scripted, target: Target, release: cli.Release) -> None:
    done = claude(stack, target, release, "say [[words 6000]]")
    assert done.rc == 0, done
    assert done.result["result"].split() == [f"word{number}" for number in range(1, 6001)]


def test_a_conversation_goes_on(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("conversation", stack, upstream, target, release, tmp_path)
    assert done.result["result"] == "echo: [[think]] and again"
    assert "echo: hello" in words(upstream.last)


def test_a_tool_goes_round_with_thinking(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("tool", stack, upstream, target, release, tmp_path)
    assert done.result["num_turns"] == 2
    assert "ultramarine" in done.result["result"]
    first, second = upstream.requests
    assert "ultramarine" not in words(first)
    assert "ultramarine" in words(second)


def test_parallel_tools_go_round(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("tools-parallel", stack, upstream, target, release, tmp_path)
    # In the order in which they ended; the upstream refuses a result whose call id is not the one that it gave.
    assert "ultramarine" in done.result["result"]
    assert "42" in done.result["result"]
    assert len(upstream.requests) == 2


def test_a_failed_tool_is_said_to_have_failed(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("tool-failure", stack, upstream, target, release, tmp_path)
    assert "File does not exist" in done.result["result"]


def test_files_are_changed(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    act("edit", stack, upstream, target, release, tmp_path)
    assert (tmp_path / "project" / "note.txt").read_text() == "the word is ochre\n"
    assert (tmp_path / "project" / "other.txt").read_text() == "umber\n"


def test_an_agent_of_its_own_asks_too(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    act("subagent", stack, upstream, target, release, tmp_path)
    agents = [request.header("x-claude-code-agent-id") for request in upstream.requests]
    # Only the relay lane passes the client's headers on; the translated one is known by its prompt.
    assert len(set(agents) - {None}) == (target is ANTHROPIC)
    assert any(words(request).count("hello from inside") == 1 for request in upstream.requests[1:])


def test_a_web_search_is_answered(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("web-search", stack, upstream, target, release, tmp_path)
    assert "cats and dogs" in done.result["result"]
    assert len(upstream.requests) == 3


def test_pictures_are_seen(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    act("image", stack, upstream, target, release, tmp_path)
    assert base64.b64encode(PIXEL).decode() in words(upstream.last)


def test_pictures_in_tool_results_are_seen(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    act("image-read", stack, upstream, target, release, tmp_path)
    assert "image/png" in words(upstream.last)


def test_a_structured_answer_is_given(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("structured", stack, upstream, target, release, tmp_path)
    assert done.result["structured_output"] == {"city": "Wien", "days": [1, 2]}


def test_a_tool_that_was_held_back_is_loaded(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    act("tool-search", stack, upstream, target, release, tmp_path)
    assert "WebFetch" in words(upstream.last)


def test_an_answer_in_one_piece_follows_a_broken_stream(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, tmp_path: Path
) -> None:
    done = act("not-streamed", stack, upstream, target, release, tmp_path)
    assert done.result["result"] == "echo: hello"
    assert [streamed(request) for request in upstream.requests] == [True, False]


def test_the_context_is_shown_without_a_billed_request(
    stack: System, upstream: Scripted, target: Target, release: cli.Release
) -> None:
    done = cli.run(["-p", "/context"], url=stack.url, key=stack.key, model=target.model, release=release)
    assert done.rc == 0, done
    assert "System prompt" in done.stdout
    counts = ("/v1/messages/count_tokens", "/v1/responses/input_tokens", f"{GEMINI.path}countTokens")
    asked = {request.path for request in upstream.requests}
    # A CLI of half a year ago bills a tiny message for each count that it is not given.
    tiny = [request for request in upstream.requests if request.path not in counts]
    assert asked <= set(counts) or (release == "old" and all(len(request.body) < 60_000 for request in tiny))


def test_the_session_is_logged_and_nothing_said_is(
    stack: System, upstream: Scripted, target: Target, release: cli.Release
) -> None:
    before = len(stack.requests(count=0))
    done = claude(stack, target, release, "a very private matter")
    line = stack.requests(count=before + 1)[-1]
    assert line["session"] == done.result["session_id"]
    assert "very private" not in stack.logs


@pytest.mark.parametrize("status", [429, 529])
def test_an_overload_is_ridden_out(
    stack: System, upstream: Scripted, target: Target, release: cli.Release, status: int
) -> None:
    upstream.script({"status": status, "headers": {"retry-after": "0"}, "error_message": "busy"})
    done = claude(stack, target, release, "hello")
    assert (done.rc, done.result["result"]) == (0, "echo: hello")


def test_another_model_is_asked_when_the_first_is_overloaded(
    stack: System, upstream: Scripted, target: Target, release: cli.Release
) -> None:
    other = OPENAI if target is ANTHROPIC else ANTHROPIC
    upstream.script({"status": 529, "headers": {"retry-after": "0"}, "times": 3})
    done = claude(stack, target, release, "--fallback-model", other.model, "hello")
    assert (done.rc, done.result["result"]) == (0, "echo: hello")
    # The old one leaves only models that it knows by name.
    assert (other if release == "newest" else target).saw(upstream.last)
