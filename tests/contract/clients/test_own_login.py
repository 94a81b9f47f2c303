"""The real CLI with a login of its own: through the gateway to Anthropic, and nowhere else."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from tests.support.builders import scan
from tests.support.clients import cli
from tests.support.clients.tap import Tap
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

TOKEN: Final = "sk-ant-oat01-somebodys-own-0123456789"
API_KEY: Final = "sk-ant-api03-somebodys-own-0123456789"
ROUTES: Final = """
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: own}}
spec:
  models: ["claude-*"]
  targets: [{{model: anthropic/*, forwardClientToken: true, baseURL: "{url}"}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: local}}
spec:
  models: [local]
  targets: [{{model: hosted_vllm/scripted-gpt, baseURL: "{url}/v1"}}]
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[System, Scripted, Tap]]:
    with Scripted() as upstream, Tap(upstream.url) as tap, System() as system:
        system.apply(ROUTES.format(url=tap.url))
        yield system, upstream, tap


@pytest.fixture
def stack(running: tuple[System, Scripted, Tap]) -> Iterator[System]:
    """The gateway; afterwards neither login may stand in a log, a metric or a file."""
    system, upstream, tap = running
    upstream.forget()
    tap.forget()
    yield system
    assert system.leaks(TOKEN, API_KEY) == []
    assert scan.found([TOKEN, API_KEY, system.key], system.metrics) == []


def _claude(stack: System, *arguments: str, key: str | None = None, login: Mapping[str, str]) -> cli.Result:
    environment = {
        "ANTHROPIC_AUTH_TOKEN": "",
        "ANTHROPIC_CUSTOM_HEADERS": f"x-gateway-key: {key or stack.key}",
        **login,
    }
    return cli.run(["-p", *arguments], url=stack.url, key="", environment=environment)


@pytest.mark.parametrize(
    ("login", "header", "value"),
    [
        ({"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}, "authorization", f"Bearer {TOKEN}"),
        ({"ANTHROPIC_API_KEY": API_KEY}, "x-api-key", API_KEY),
    ],
    ids=["oauth", "key"],
)
def test_the_login_arrives_as_it_was_sent(
    stack: System, running: tuple[System, Scripted, Tap], login: Mapping[str, str], header: str, value: str
) -> None:
    done = _claude(stack, "hello", login=login)
    assert (done.rc, done.stdout.strip()) == (0, "echo: hello"), done
    passed = [each.request for each in running[2].passed]
    assert passed
    for request in passed:
        assert request.header(header) == value
        assert request.header("x-gateway-key") is None
        assert stack.key not in str(request.headers)
        betas = (request.header("anthropic-beta") or "").split(",")
        assert ("oauth-2025-04-20" in betas) == (header == "authorization")
    (line,) = stack.requests(count=1)[-1:]
    assert (line["client"], line["status"]) == ("default/tests", 200)


def test_another_target_gets_no_login(stack: System, running: tuple[System, Scripted, Tap]) -> None:
    done = _claude(stack, "--model", "local", "hello", login={"CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
    assert (done.rc, done.stdout.strip()) == (0, "echo: hello"), done
    for each in running[2].passed:
        assert "somebodys-own" not in str(each.request.headers)
        assert stack.key not in str(each.request.headers)


def test_a_login_that_is_refused_is_told_to_its_owner(stack: System, running: tuple[System, Scripted, Tap]) -> None:
    message = "OAuth token has been revoked. Please obtain a new token."
    refused = {"status": 401, "error_message": message, "headers": {"x-should-retry": "false"}}
    running[1].script(*[refused] * 4)
    done = _claude(stack, "hello", login={"CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
    assert done.rc == 1
    answers = [each.answer for each in running[2].passed]
    assert {answer.status for answer in answers if answer is not None} == {401}
    assert "401" in done.stdout + done.stderr


def test_a_gateway_key_that_is_refused_says_so_at_once(stack: System, running: tuple[System, Scripted, Tap]) -> None:
    done = _claude(stack, "hello", key="cgw_wrong-0123456789", login={"CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
    assert done.rc == 1
    assert "the gateway does not know this key" in done.stdout + done.stderr
    assert running[2].passed == ()


def test_without_a_gateway_key_the_login_is_not_asked_for_one(
    stack: System, running: tuple[System, Scripted, Tap]
) -> None:
    """A login alone is not a key of the gateway: it is refused, and no upstream sees it."""
    done = cli.run(
        ["-p", "hello"],
        url=stack.url,
        key="",
        environment={"ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_OAUTH_TOKEN": TOKEN},
    )
    assert done.rc == 1
    assert running[2].passed == ()


def test_a_key_alone_is_told_how_to_send_a_login(stack: System, running: tuple[System, Scripted, Tap]) -> None:
    done = cli.run(["-p", "hello"], url=stack.url, key=stack.key)
    assert done.rc == 1
    assert "x-gateway-key" in done.stdout + done.stderr
    assert running[2].passed == ()


def test_token_counts_take_the_same_way(stack: System, running: tuple[System, Scripted, Tap], tmp_path: Path) -> None:
    done = _claude(stack, "/context", login={"CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
    assert done.rc == 0, done
    counts = [each for each in running[2].passed if "count_tokens" in each.request.target]
    assert counts
    for each in counts:
        assert each.request.header("authorization") == f"Bearer {TOKEN}"
        assert each.answer is not None
        assert json.loads(each.answer.body)["input_tokens"] > 0
