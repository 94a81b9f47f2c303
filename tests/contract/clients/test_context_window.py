"""Claude Code with models that take less than it thinks: the window that it assumes, and long prompts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.clients import cli
from tests.support.processes.gateway import System, client

from claude_gateway_scripted import Scripted

KEY: Final = "cgw_window-0123456789"
ROUTES: Final = """
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: local}}
spec:
  models: [local, "claude-opus-*"]
  targets:
    - model: hosted_vllm/scripted-small
      baseURL: "{url}/v1"
      contextWindow: 60000
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: both}}
spec:
  models: [both]
  targets:
    - model: hosted_vllm/scripted-small
      baseURL: "{url}/v1"
      contextWindow: 60000
      supports: {{images: false}}
    - model: hosted_vllm/scripted-large
      baseURL: "{url}/v1"
      contextWindow: 1000000
      priority: 1
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture(scope="module")
def system(upstream: Scripted) -> Iterator[System]:
    with System() as running:
        running.apply(ROUTES.format(url=upstream.url), *client("dev", KEY))
        yield running


@pytest.mark.parametrize("release", cli.RELEASES)
def test_it_is_told_that_a_prompt_is_too_long_before_anything_is_sent(
    system: System, upstream: Scripted, release: cli.Release
) -> None:
    upstream.forget()
    said = "the words of a long prompt " * 20_000
    done = cli.run(["-p", "--output-format", "json"], url=system.url, key=KEY, release=release, said=said)
    assert "Prompt is too long" in str(done.result["result"])
    assert upstream.requests == ()


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_long_prompt_goes_to_the_model_that_takes_it(
    system: System, upstream: Scripted, release: cli.Release
) -> None:
    upstream.forget()
    said = "the words of a long prompt " * 20_000
    done = cli.run(["-p", "--output-format", "json"], url=system.url, key=KEY, model="both", release=release, said=said)
    assert done.rc == 0, done.stdout
    assert {request.json["model"] for request in upstream.requests} >= {"scripted-large"}


def test_it_compacts_a_conversation_that_became_too_long(system: System, upstream: Scripted, tmp_path: Path) -> None:
    arguments = ["--output-format", "stream-json", "--verbose"]
    said = "the words of a long prompt "
    upstream.forget()
    first = cli.run(["-p", *arguments], url=system.url, key=KEY, home=tmp_path, said=said * 5000)
    assert first.rc == 0
    sent = len(upstream.requests)
    second = cli.run(["-p", "--continue", *arguments], url=system.url, key=KEY, home=tmp_path, said=said * 4000)
    assert second.rc == 0
    assert [event for event in second.events if event.get("subtype") == "compact_boundary"]
    for request in upstream.requests[sent:]:
        assert request.body.count(said.encode()) <= 5000, "the two prompts together were never sent"


@pytest.mark.parametrize(("setting", "window"), [("60000", 60_000), ("", 1_000_000)])
def test_the_window_of_an_unknown_model_is_what_the_setting_says(system: System, setting: str, window: int) -> None:
    done = cli.run(
        ["-p", "--output-format", "json", "hi"],
        url=system.url,
        key=KEY,
        model="local",
        environment={"CLAUDE_CODE_MAX_CONTEXT_TOKENS": setting},
    )
    (usage,) = done.result["modelUsage"].values()
    assert usage["contextWindow"] == window
