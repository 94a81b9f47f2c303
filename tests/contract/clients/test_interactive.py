"""The real CLI as a person has it, in a terminal, through the real gateway to both wires."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.builders.targets import ANTHROPIC, KEYLESS, OPENAI, Target
from tests.support.clients import terminal
from tests.support.clients.cli import RELEASES, Release
from tests.support.clients.scenarios import PIXEL, call
from tests.support.clients.terminal import Opened
from tests.support.processes.gateway import System
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

ERRAND: Final = call("Agent", description="errand", prompt="hello from inside", subagent_type="general-purpose")
IMAGE: Final = base64.b64encode(PIXEL)
QUESTION: Final = "Do you want to proceed?"

# Bun's, which the CLI is made with: how long a connection may be silent (default: 5 minutes). Measured: 8 seconds.
IDLE: Final = {"BUN_CONFIG_HTTP_IDLE_TIMEOUT": "1"}
Open = Callable[..., Opened]


@pytest.fixture(params=[ANTHROPIC, OPENAI], ids=str)
def target(request: pytest.FixtureRequest) -> Target:
    """The relay lane and the LiteLLM lane; the upstream format of the latter does not matter here."""
    chosen: Target = request.param
    return chosen


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Where the CLI works."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def claude(stack: System, target: Target, tmp_path: Path, project: Path) -> Open:
    """Start the CLI in a terminal, asking before each action."""

    def start(
        *arguments: str, system: System = stack, home: str = "home", release: Release = "newest", **environment: str
    ) -> Opened:
        return terminal.claude(
            "--permission-mode",
            "default",
            *arguments,
            url=system.url,
            key=system.key,
            home=tmp_path / home,
            cwd=project,
            model=target.model,
            environment=environment,
            release=release,
        )

    return start


def test_prompts_are_answered(claude: Open, upstream: Scripted, target: Target) -> None:
    with claude() as cli:
        cli.submit("hello")
        cli.shows("echo: hello")
        cli.submit("say [[words 300]]")
        cli.shows("word299 word300")
        assert cli.has("word1 word2")
    assert all(target.saw(request) for request in upstream.requests)


@pytest.mark.parametrize("release", RELEASES)
def test_a_tool_runs_if_the_person_permits_it(
    claude: Open, upstream: Scripted, target: Target, project: Path, release: Release
) -> None:
    with claude(release=release) as cli:
        cli.submit(call("Bash", command="touch wanted; echo $((6*7))", description="make"))
        cli.shows(QUESTION)
        assert not (project / "wanted").exists()
        cli.answer(QUESTION)
        cli.shows('tool said: ["42"]')
        cli.submit(call("Bash", command="touch unwanted", description="make"))
        cli.answer(QUESTION, "escape")
        cli.shows("Interrupted", "declined", "rejected")
    assert [file.name for file in project.iterdir()] == ["wanted"]


def test_an_agent_does_an_errand(claude: Open, upstream: Scripted, target: Target) -> None:
    with claude("--allowedTools", "Agent") as cli:
        cli.submit(ERRAND)
        cli.shows('Agent "errand" finished')
    assert all(target.saw(request) for request in upstream.requests)
    agents = {request.header("x-claude-code-agent-id") for request in upstream.requests}
    # Only the relay lane passes the client's headers on.
    assert len(agents - {None}) == (target is ANTHROPIC)
    # The conversation repeats the errand in the call; the agent's own has it once.
    assert any(request.body.count(b"hello from inside") == 1 for request in upstream.requests[1:])


def test_the_context_is_counted_without_a_billed_request(claude: Open, upstream: Scripted, target: Target) -> None:
    with claude() as cli:
        cli.submit("/context")
        cli.shows("System prompt:")
    assert {request.path for request in upstream.requests} <= {"/v1/messages/count_tokens"}


def test_the_web_is_searched_by_a_request_of_its_own(claude: Open, upstream: Scripted, target: Target) -> None:
    with claude("--allowedTools", "WebSearch") as cli:
        cli.submit(call("WebSearch", query="cats and dogs"))
        cli.shows('results for query: "cats and dogs"')
    assert any(b"Perform a web search for the query: cats and dogs" in request.body for request in upstream.requests)
    assert all(target.saw(request) for request in upstream.requests)


def test_images_are_seen_by_the_model(claude: Open, upstream: Scripted, target: Target, project: Path) -> None:
    picture = project / "dot.png"
    picture.write_bytes(PIXEL)
    with claude() as cli:
        cli.submit("what is in @dot.png")
        cli.shows("echo: what is in @dot.png")
        assert IMAGE in upstream.last.body
        upstream.forget()
        cli.paste(str(picture))
        cli.shows("[Image #1]")
        cli.type(" and here")
        cli.press("enter")
        cli.shows("echo: and here", "echo: [Image")
    assert upstream.last.body.count(IMAGE) == 2


def test_a_session_is_resumed(claude: Open, upstream: Scripted, target: Target, tmp_path: Path) -> None:
    with claude() as cli:
        cli.submit("the word is ultramarine")
        cli.shows("echo: the word is ultramarine")
    (kept,) = (tmp_path / "home" / ".claude" / "projects").glob("*/*.jsonl")
    upstream.forget()
    with claude("--resume", kept.stem) as cli:
        cli.shows("echo: the word is ultramarine")
        cli.submit("and now")
        cli.shows("echo: and now")
    assert upstream.last.body.count(b"the word is ultramarine") == 2


def test_escape_ends_the_answer_at_the_upstream_too(claude: Open, upstream: Scripted, target: Target) -> None:
    with claude() as cli:
        cli.submit("[[words 9000]] [[pace 0.05]]")
        cli.shows("word3")
        cli.press("escape")
        cli.shows("Interrupted")
        until(lambda: upstream.open_streams == 0, what="the upstream's stream to end")
        (request,) = [request for request in upstream.requests if b"9000" in request.body]
        assert request.disconnected is not None
        assert request.ended is None
        cli.submit("still there?")
        cli.shows("echo:")


@pytest.fixture(scope="module")
def pinging() -> Iterator[tuple[System, Scripted]]:
    """A gateway whose pings come as often, for the CLI's shortened patience, as they usually do for its full one."""
    with Scripted() as upstream, System(environment={"CLAUDE_GATEWAY_PING_SECONDS": "0.5"}) as system:
        system.apply(KEYLESS.format(url=upstream.url))
        yield system, upstream


def test_pings_keep_a_silent_answer_alive(
    claude: Open, upstream: Scripted, target: Target, pinging: tuple[System, Scripted]
) -> None:
    alive, silent = pinging
    silent.forget()
    for each in (silent, upstream):
        each.script({"text": "begun and", "midstream": "hang"}, {"text": "in one piece", "delay": 4})
    # Where the pings come at their usual pace, the CLI gives up, later than the one that was started first would.
    with claude(system=alive, **IDLE) as kept, claude(home="other", **IDLE) as lost:
        kept.submit("hello")
        until(lambda: silent.requests and silent.last.sent, what="an answer to begin")
        lost.submit("hello")
        lost.shows("in one piece")
        assert kept.has("esc to interrupt")
        assert (len(silent.requests), silent.open_streams) == (1, 1)
    first, second = upstream.requests
    assert first.disconnected is not None
    assert not second.json.get("stream")
