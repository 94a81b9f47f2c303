"""The examples of rules, each with the real Claude Code CLI: every request goes to the model that the example says."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.support.builders.targets import ANTHROPIC_KEY, OPENAI_KEY
from tests.support.clients import cli, terminal
from tests.support.clients.scenarios import EVENTS, PIXEL, SCENARIOS, call, play
from tests.support.processes.gateway import System, documents
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

EXAMPLES: Final = Path(__file__).parents[3] / "examples"
SAYING: Final = {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}
SILENT: Final = {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": ""}
OPUS: Final = "claude-opus-5-5"


class Example:
    """A gateway with the objects of an example, whose upstreams are all the scripted one."""

    def __init__(self, system: System, upstream: Scripted) -> None:
        self.system = system
        self.upstream = upstream

    def serve(self, name: str) -> None:
        text = (EXAMPLES / name / "gateway.yaml").read_text()
        for variable, key in (("$ANTHROPIC_API_KEY", ANTHROPIC_KEY), ("$OPENAI_API_KEY", OPENAI_KEY)):
            text = text.replace(variable, key)
        self.system.apply(*(self._here(document) for document in documents(text)))
        self.upstream.forget()

    def _here(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        url = self.upstream.url
        if document["kind"] == "ClaudeCredential":
            key = document["spec"]["apiKey"]
            key["baseURL"] = url if key["provider"] == "anthropic" else f"{url}/v1"
        return yaml.safe_load(json.dumps(document).replace("http://localhost:8000", url))  # type: ignore[no-any-return]

    def run(self, *arguments: str, model: str = OPUS, release: cli.Release = "newest", **more: Any) -> cli.Result:
        done = cli.run(
            ["-p", *EVENTS, *arguments], url=self.system.url, key=self.system.key, model=model, release=release, **more
        )
        assert done.rc == 0, done
        return done

    def models(self, word: str = "") -> list[str]:
        """The models that were asked since the last call, of requests with this word, in their order."""
        found = [request.json["model"] for request in self.upstream.requests if word.encode() in request.body]
        self.upstream.forget()
        return found


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[System, Scripted]]:
    with Scripted() as upstream, System() as system:
        yield system, upstream


@pytest.fixture
def example(running: tuple[System, Scripted]) -> Iterator[Example]:
    yield Example(*running)
    assert running[0].leaks(ANTHROPIC_KEY, OPENAI_KEY) == []


def test_big_small_and_thinker(example: Example) -> None:
    example.serve("big-small-thinker")
    assert len((EXAMPLES / "big-small-thinker" / "gateway.yaml").read_text().splitlines()) < 40
    asked = {}
    for effort in ("low", "high", "xhigh", "max"):
        example.run("--effort", effort, "--", "hello")
        asked[effort] = example.models()
    assert asked == {"low": ["gpt-5.4"], "high": ["gpt-5.4"], "xhigh": ["gpt-5.5"], "max": ["gpt-5.5"]}
    example.run("hello", model="haiku")
    assert example.models() == ["gpt-5.4-mini"]


def test_big_small_and_thinker_by_budget(example: Example) -> None:
    example.serve("big-small-thinker")
    model = "claude-sonnet-4-5-20250929"
    for release in cli.RELEASES:
        example.run("hello", model=model, release=release)
        assert example.models() == ["gpt-5.5"]
        example.run("hello", model=model, release=release, environment={"MAX_THINKING_TOKENS": "4000"})
        assert example.models() == ["gpt-5.4"]


@pytest.mark.parametrize(("release", "environment"), [("newest", SAYING), ("newest", SILENT), ("old", SILENT)])
def test_a_compaction_goes_to_the_cheap_model(
    example: Example, tmp_path: Path, release: cli.Release, environment: dict[str, str]
) -> None:
    example.serve("chores")
    more: dict[str, Any] = {"home": tmp_path, "release": release, "environment": environment}
    example.run("hello", **more)
    assert example.models("hello") == [OPUS]
    example.run("--continue", "/compact", **more)
    assert example.models("detailed summary") == ["gpt-5.4-mini"]
    example.run("--continue", "and on", **more)
    assert example.models("and on") == [OPUS]
    lines = [line for line in example.system.requests(count=1) if line["rule"] == "chores"]
    assert lines[-1]["lane"] == "codec"


@pytest.mark.parametrize(("release", "environment"), [("newest", SAYING), ("newest", SILENT), ("old", SILENT)])
def test_a_title_goes_to_the_cheap_model(
    example: Example, tmp_path: Path, release: cli.Release, environment: dict[str, str]
) -> None:
    example.serve("chores")
    project = tmp_path / "project"
    project.mkdir()
    prompt = "please explain at some length what one would do to say [[words 7]] here"
    run: dict[str, Any] = {"url": example.system.url, "key": example.system.key, "home": tmp_path / "home"}
    # The newest release takes a title for traffic that is not needed.
    everything = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "", **environment}
    with terminal.claude(cwd=project, model=OPUS, environment=everything, release=release, quiet=False, **run) as shown:
        shown.submit(prompt)
        shown.shows("word1 word2 word3 word4 word5 word6 word7")
        until(lambda: len(example.upstream.requests) >= 2, what="the session's title to be asked for")
    assert sorted(example.models()) == [OPUS, "gpt-5.4-mini"]


def test_a_web_search_goes_to_a_model_that_can_search(example: Example) -> None:
    example.serve("chores")
    for environment in (SAYING, SILENT):
        prompt = call("WebSearch", query="cats and dogs")
        example.run("--allowedTools", "WebSearch", "--", prompt, environment=environment)
        assert set(example.models("Perform a web search")) == {OPUS}
    assert [line["rule"] for line in example.system.requests(count=6)[-6:]] == ["", "web-searches", ""] * 2


def test_tokens_are_counted_by_the_model_of_the_conversation(example: Example) -> None:
    example.serve("chores")
    example.run("/context", environment=SAYING)
    assert set(example.models()) == {OPUS}


@pytest.mark.parametrize(
    ("agent", "environment", "expected"),
    [
        ("Explore", SAYING, {"gpt-5.4-mini"}),
        ("general-purpose", SAYING, {"gpt-5.4", "claude-sonnet-5-5"}),
        ("Explore", SILENT, {"gpt-5.4", "claude-sonnet-5-5"}),
    ],
)
def test_subagents_have_their_own_pool(
    example: Example, agent: str, environment: dict[str, str], expected: set[str]
) -> None:
    example.serve("subagents")
    errand = call(
        "Agent", description="errand", prompt="hello from inside", subagent_type=agent, run_in_background=False
    )
    example.run("--allowedTools", "Agent", "--", errand, environment=environment)
    inside = [request.json["model"] for request in example.upstream.requests if _by_agent(request.body)]
    outside = [request.json["model"] for request in example.upstream.requests if not _by_agent(request.body)]
    assert set(inside) <= expected
    assert inside
    assert set(outside) == {OPUS}


def _by_agent(body: bytes) -> bool:
    """The conversation repeats the errand in the call; the agent's own has it once."""
    return body.count(b"hello from inside") == 1 and b"[[tool" not in body


def test_images_go_to_the_model_that_can_see(example: Example, tmp_path: Path) -> None:
    example.serve("images")
    example.run("hello")
    assert example.models() == ["qwen3-coder"]
    (scenario,) = [each for each in SCENARIOS if each.name == "image"]
    done = play(
        scenario,
        url=example.system.url,
        key=example.system.key,
        upstream=example.upstream,
        release="newest",
        home=tmp_path,
        model=OPUS,
    )
    assert done.rc == 0
    assert example.models() == ["claude-sonnet-5-5"]
    # One that the CLI reads with a tool is in the result.
    picture = tmp_path / "dot.png"
    picture.write_bytes(PIXEL)
    example.run("--allowedTools", "Read", "--", call("Read", file_path=str(picture)), cwd=tmp_path)
    assert example.models() == ["qwen3-coder", "claude-sonnet-5-5"]


def test_what_is_long_goes_to_the_model_that_can_take_it(example: Example) -> None:
    example.serve("long-context")
    example.run("hello")
    assert example.models() == ["gpt-5.4-mini"]
    example.run("what is this about?", said="the quick brown fox jumps over the lazy dog again\n" * 22_000)
    assert set(example.models()) == {OPUS}
