"""What the real CLI sends and what the upstream gets, compared byte for byte, and the answers' way back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.targets import ANTHROPIC_CREDENTIAL, ANTHROPIC_KEY
from tests.support.clients import cli, terminal
from tests.support.clients.scenarios import SCENARIOS, Scenario, play
from tests.support.clients.tap import Message, Passed, Tap
from tests.support.processes.gateway import System, secret
from tests.support.processes.waiting import until

from claude_gateway.contract.model_ids import without_context
from claude_gateway_scripted import Scripted

UPSTREAM_MODEL = "another-name"
ROUTES = (
    ANTHROPIC_CREDENTIAL
    + """\
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: renamed}}
spec:
  models: ["claude-*", some-other-model]
  targets: [{{model: anthropic/another-name, credential: anthropic}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: kept}}
spec:
  models: ["kept-*"]
  targets: [{{model: anthropic/*, credential: anthropic}}]
"""
)

HERE_ONLY = {"host", "content-length", "connection", "authorization", "x-api-key", "accept-encoding", "x-team"}
"""Request headers that are each hop's own: addresses, lengths, credentials, the encodings that are understood, and
what a user adds for the gateway.
"""

THERE_ONLY = {
    *("transfer-encoding", "content-length", "date", "server", "request-id", "x-request-id", "x-gateway-client"),
}
"""The same of an answer; the request's id and the gateway's own headers are checked apart."""

Stack = tuple[System, Scripted, Tap, Tap]


@pytest.fixture(scope="module")
def tapped() -> Iterator[Stack]:
    """The CLI's side of the gateway and the upstream's side, both written down."""
    with Scripted() as upstream, Tap(upstream.url) as back, System() as system:
        system.apply(ROUTES.format(url=back.url), secret("anthropic", ANTHROPIC_KEY))
        with Tap(system.url) as front:
            yield system, upstream, front, back


def spliced(request: Message, model: str | None) -> bytes:
    """Return a request's body with the upstream's model name, done by text so that nothing else can change."""
    if model is None:
        return request.body
    head, name, rest = request.body.partition(b'"model":"')
    assert name, request.body[:200]
    return head + name + model.encode() + rest[rest.index(b'"') :]


def own(headers: tuple[tuple[str, str], ...], without: set[str]) -> list[tuple[str, str]]:
    """Return the headers that cross, in their order; names by their lower-case form, as HTTP compares them."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in without]


def renamed(body: bytes, request: Message) -> bytes:
    """Return an answer under the name that its request asked for, done by text so that nothing else can change."""
    asked = without_context(json.loads(request.body)["model"])
    return body.replace(f'"model":"{UPSTREAM_MODEL}"'.encode(), f'"model":"{asked}"'.encode(), 1)


def paired(front: Tap, back: Tap, model: str | None) -> list[tuple[Passed, Passed]]:
    """Return what was asked on this side with what arrived on the other; parallel requests are matched by body."""
    arrived = list(back.passed)
    pairs: list[tuple[Passed, Passed]] = []
    for asked in front.passed:
        body = spliced(asked.request, model)
        same = [one for one in arrived if one.request.body == body]
        assert same, f"nothing arrived with the body of {asked.request.first}: {body[:300]!r}"
        # Equal bodies go by their order, but for the agent that asked.
        agent = asked.request.header("x-claude-code-agent-id")
        match = next(one for one in same if one.request.header("x-claude-code-agent-id") == agent)
        arrived.remove(match)
        pairs.append((asked, match))
    assert arrived == [], "the upstream was asked what no client had asked"
    return pairs


def check(asked: Passed, arrived: Passed, key: str) -> None:
    here, there = asked.request, arrived.request
    assert there.first == here.first
    assert own(there.headers, HERE_ONLY) == own(here.headers, HERE_ONLY)
    assert key in (here.header("authorization") or "")
    ours = {name.lower(): value for name, value in there.headers if name.lower() in HERE_ONLY - {"host"}}
    length = str(len(there.body))
    assert ours == {"accept-encoding": "identity", "x-api-key": ANTHROPIC_KEY, "content-length": length}
    got, gave = asked.answer, arrived.answer
    assert got is not None
    assert gave is not None
    # A client may hang up as soon as it has read an error event, before the end of the chunked body; then the gateway
    # hangs up as well.
    assert (got.whole and gave.whole) or b"event: error\n" in got.body
    assert (got.first, got.body) == (gave.first, renamed(gave.body, asked.request))
    assert got.header("x-gateway-client") is not None
    assert own(got.headers, THERE_ONLY) == own(gave.headers, THERE_ONLY)
    assert got.header("request-id") == got.header("x-request-id") == gave.header("request-id")


@pytest.mark.parametrize("release", cli.RELEASES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_request_and_answer_crosses_unchanged(
    tapped: Stack, tmp_path: Path, scenario: Scenario, release: cli.Release
) -> None:
    system, upstream, front, back = tapped
    front.forget()
    back.forget()
    done = play(scenario, url=front.url, key=system.key, upstream=upstream, release=release, home=tmp_path)
    assert done.rc == 0, done
    assert done.other_hosts == ()
    pairs = paired(front, back, UPSTREAM_MODEL)
    assert pairs
    for asked, arrived in pairs:
        check(asked, arrived, system.key)


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_model_that_keeps_its_name_leaves_the_body_as_it_is(
    tapped: Stack, tmp_path: Path, release: cli.Release
) -> None:
    system, upstream, front, back = tapped
    front.forget()
    back.forget()
    (scenario,) = [scenario for scenario in SCENARIOS if scenario.name == "tools-parallel"]
    run = {"url": front.url, "key": system.key, "model": "kept-model"}
    done = play(scenario, upstream=upstream, release=release, home=tmp_path, **run)
    assert done.rc == 0, done
    pairs = paired(front, back, None)
    assert len(pairs) == 2
    for asked, arrived in pairs:
        check(asked, arrived, system.key)


@pytest.mark.parametrize("release", cli.RELEASES)
def test_what_an_interactive_session_asks_crosses_unchanged_too(
    tapped: Stack, tmp_path: Path, release: cli.Release
) -> None:
    system, upstream, front, back = tapped
    front.forget()
    back.forget()
    upstream.forget()
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    # The newest asks for a title only where traffic that is not needed is allowed; the proxy refuses the rest of it.
    everything = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": ""}
    run: dict[str, Any] = {"url": front.url, "key": system.key, "home": home, "cwd": project}
    with terminal.claude(**run, environment=everything, release=release, quiet=False) as shown:
        shown.submit("please explain at some length what one would do to say [[words 7]] here")
        shown.shows("word1 word2 word3 word4 word5 word6 word7")
        until(lambda: len(upstream.requests) >= 2, what="the session's title to be asked for")
    pairs = paired(front, back, UPSTREAM_MODEL)
    # The answer, and a title for the session.
    assert sum(b'"json_schema"' in asked.request.body for asked, _ in pairs) == 1
    for asked, arrived in pairs:
        check(asked, arrived, system.key)
