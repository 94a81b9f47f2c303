"""The brake with the real Claude Code: what it shows, how often it retries, and how its session continues."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import openai
import pytest
from tests.support.builders.targets import ANTHROPIC_KEY, OPENAI_KEY, PASS_THROUGH, ROUTES
from tests.support.clients import cli, terminal
from tests.support.clients.scenarios import EVENTS
from tests.support.processes.command import call
from tests.support.processes.gateway import System, secret
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

KEY: Final = "cgw_braked-0123456789abcdef"
OTHER: Final = "cgw_bystander-0123456789abcdef"

Brake = Callable[..., None]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[System, Scripted]]:
    with Scripted() as upstream, System() as system:
        yield system, upstream
        assert system.leaks(KEY, OTHER, ANTHROPIC_KEY, OPENAI_KEY) == []


@pytest.fixture
def stack(running: tuple[System, Scripted]) -> System:
    return running[0]


@pytest.fixture
def upstream(running: tuple[System, Scripted]) -> Scripted:
    running[1].forget()
    return running[1]


@pytest.fixture
def brake(stack: System, upstream: Scripted) -> Brake:
    """Configure the brake of the client with the key ``KEY``; the one with ``OTHER`` has the same."""

    def configure(*, routes: str = PASS_THROUGH, **spec: Any) -> None:
        clients: list[Any] = []
        for name, key in (("braked", KEY), ("bystander", OTHER)):
            clients.append(
                {
                    "apiVersion": "claudegateway.io/v1alpha1",
                    "kind": "GatewayClient",
                    "metadata": {"name": name},
                    "spec": {"keys": [{"secretRef": {"name": f"{name}-key"}}], "brake": spec},
                }
            )
            clients.append(secret(f"{name}-key", key))
        keys = (secret("anthropic", ANTHROPIC_KEY), secret("openai", OPENAI_KEY), secret("google", "AIza-x"))
        stack.apply(routes.format(url=upstream.url), *keys, *clients)

    return configure


def claude(stack: System, home: Path, *arguments: str, release: cli.Release = "newest", said: str = "") -> cli.Result:
    cwd = home / "project"
    cwd.mkdir(exist_ok=True)
    (cwd / "note.txt").write_text("x\n")
    given = ["-p", *EVENTS, "--allowedTools", "Read Agent", *arguments]
    return cli.run(given, url=stack.url, key=KEY, release=release, home=home, cwd=cwd, said=said)


def converse(stack: System, home: Path, spoken: Sequence[str], *, release: cli.Release) -> str:
    """Have one session, in which each word comes when the last one is answered; return its id."""
    cwd = home / "project"
    cwd.mkdir()
    (cwd / "note.txt").write_text("x\n")
    given = {**cli.base_environment(home), "ANTHROPIC_BASE_URL": stack.url, "ANTHROPIC_AUTH_TOKEN": KEY}
    stream = ["-p", *EVENTS, "--input-format", "stream-json", "--allowedTools", "Read"]
    with subprocess.Popen(
        [str(cli.path(release)), *stream], env=given, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in spoken:
            turn = {"type": "user", "message": {"role": "user", "content": text}}
            process.stdin.write(json.dumps(turn) + "\n")
            process.stdin.flush()
            ended = next(line for line in process.stdout if '"type":"result"' in line)
        process.stdin.close()
        process.stdout.read()
    assert process.returncode == 0
    return str(json.loads(ended)["session_id"])


def reading(home: Path, *, times: int, match: str = "") -> dict[str, Any]:
    """A step of the upstream: it calls for the same file, again and again."""
    return {"tools": [["Read", {"file_path": str(home / "project" / "note.txt")}]], "times": times, "match": match}


def session_of(done: cli.Result) -> str:
    return str(done.result["session_id"])


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_loop_is_stopped_in_a_sentence_and_goes_on_at_a_word(
    stack: System, upstream: Scripted, brake: Brake, tmp_path: Path, release: cli.Release
) -> None:
    brake(perSession={"repeatedToolCalls": 5})
    upstream.script(reading(tmp_path, times=50))
    done = claude(stack, tmp_path, "--", "please read it", release=release)
    assert done.rc == 1
    assert "the gateway stopped this session because it repeats itself: 5 tool calls in a row" in done.result["result"]
    # The request that was stopped was sent once, and reached no target.
    lines = [line for line in stack.requests(count=1) if line["session"] == session_of(done)]
    assert [line["status"] for line in lines].count(429) == 1
    assert lines[-1]["braked"] == "session_repeated_tool_calls soft"
    assert len(upstream.requests) == 5
    assert (
        'claude_gateway_braked_total{process="gateway",client="default/braked",limit="session_repeated_tool_calls",stop="soft"}'
        in (stack.metrics)
    )
    upstream.forget()
    more = claude(stack, tmp_path, "--continue", "--", "now say hello", release=release)
    assert (more.rc, session_of(more)) == (0, session_of(done)), more.result


def test_a_person_at_a_terminal_sees_it_and_goes_on(
    stack: System, upstream: Scripted, brake: Brake, tmp_path: Path
) -> None:
    brake(perSession={"repeatedToolCalls": 5})
    cwd = tmp_path / "project"
    cwd.mkdir()
    (cwd / "note.txt").write_text("x\n")
    upstream.script(reading(tmp_path, times=50))
    with terminal.claude("--allowedTools", "Read", url=stack.url, key=KEY, home=tmp_path, cwd=cwd) as shown:
        shown.submit("please read it")
        shown.shows("the gateway stopped this session because it repeats itself: 5 tool calls in a row")
        upstream.forget()
        shown.submit("now say ultramarine")
        # The upstream answers to what it finds last: the result of the tool.
        shown.shows("tool said")


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_hard_stop_stays_until_the_owner_releases_the_session(
    stack: System, upstream: Scripted, brake: Brake, tmp_path: Path, release: cli.Release
) -> None:
    brake(perSession={"requests": 2}, hardPercent=100)
    upstream.script(reading(tmp_path, times=50))
    done = claude(stack, tmp_path, "--", "please read it", release=release)
    session = session_of(done)
    assert (done.rc, len(upstream.requests)) == (1, 2)
    assert f"until it is released: claude-gateway release {session}" in done.result["result"]
    again = claude(stack, tmp_path, "--continue", "--", "hello", release=release)
    assert (again.rc, len(upstream.requests)) == (1, 2)
    key_file, other = tmp_path / "key", tmp_path / "other"
    key_file.write_text(KEY)
    other.write_text(OTHER)
    refused = call("release", session, "--key-file", other, "--url", stack.url)
    assert (refused.code, "no session" in refused.stderr) == (1, True), refused
    released = call("release", session, "--key-file", key_file, "--url", stack.url)
    assert (released.code, released.stdout) == (0, f"Session {session} is released.\n"), released
    upstream.forget()
    more = claude(stack, tmp_path, "--continue", "--", "hello", release=release)
    assert more.rc == 0, more.result


def test_a_session_is_released_by_its_object(stack: System, upstream: Scripted, brake: Brake, tmp_path: Path) -> None:
    brake(perSession={"requests": 1}, hardPercent=100)
    done = claude(stack, tmp_path, "--", "hello")
    assert done.rc == 0
    assert claude(stack, tmp_path, "--continue", "--", "hello").rc == 1
    brake(perSession={"requests": 1}, hardPercent=100, released=[session_of(done)])
    assert claude(stack, tmp_path, "--continue", "--", "hello").rc == 0


@pytest.mark.parametrize("release", cli.RELEASES)
def test_an_agent_that_is_stopped_says_so_to_its_session(
    stack: System, upstream: Scripted, brake: Brake, tmp_path: Path, release: cli.Release
) -> None:
    brake(perAgent={"repeatedToolCalls": 5})
    errand = {
        "description": "errand",
        "prompt": "zebra inside",
        "subagent_type": "general-purpose",
        "run_in_background": False,
    }
    upstream.script(
        {"tools": [["Agent", errand]], "match": "start now"},
        {"text": "all done", "match": "the gateway stopped this agent"},
        reading(tmp_path, times=50, match="zebra inside"),
    )
    done = claude(stack, tmp_path, "--", "start now", release=release)
    assert (done.rc, done.result["result"]) == (0, "all done")
    inside = [request for request in upstream.requests if request.header("x-claude-code-agent-id")]
    assert len(inside) == 5
    lines = [line for line in stack.requests(count=1) if line["session"] == session_of(done)]
    assert [line["braked"] for line in lines if "braked" in line] == ["agent_repeated_tool_calls soft"]


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_normal_session_of_fifty_turns_is_not_stopped(
    stack: System, upstream: Scripted, brake: Brake, tmp_path: Path, release: cli.Release
) -> None:
    brake()
    given = json.dumps({"file_path": str(tmp_path / "project" / "note.txt")})
    spoken = [f"please do part {number} of it [[tool Read {given}]]" for number in range(50)]
    session = converse(stack, tmp_path, spoken, release=release)
    lines = [line for line in stack.requests(count=1) if line["session"] == session]
    assert len(lines) >= 100
    assert {line["status"] for line in lines} == {200}


def test_an_openai_client_is_stopped_once_and_for_its_conversation_alone(
    stack: System, upstream: Scripted, brake: Brake
) -> None:
    brake(routes=ROUTES, perSession={"requests": 2}, hardPercent=100)
    client = openai.OpenAI(base_url=stack.openai_url, api_key=KEY)
    more: Any = {"prompt_cache_key": "conversation-1"}

    def ask(**extra: Any) -> str:
        said: Sequence[Any] = [{"role": "user", "content": "hello"}]
        answer = client.chat.completions.create(model="gpt-compatible", messages=said, extra_body=extra or more)
        return str(answer.choices[0].message.content)

    assert [ask(), ask()] == ["echo: hello"] * 2
    before = len(upstream.requests)
    with pytest.raises(openai.RateLimitError) as stopped:
        ask()
    assert stopped.value.code == "session_stopped"
    assert "claude-gateway release conversation-1" in stopped.value.message
    assert len(upstream.requests) == before
    assert len([line for line in stack.requests(count=1) if line.get("braked") == "session_requests hard"]) >= 1
    assert ask(prompt_cache_key="conversation-2") == "echo: hello"
    answer = httpx.post(f"{stack.url}/v1/sessions/conversation-1/release", headers={"authorization": f"Bearer {KEY}"})
    assert (answer.status_code, answer.json()) == (200, {"type": "session", "id": "conversation-1", "released": True})
    assert ask() == "echo: hello"


def test_only_a_known_caller_releases(stack: System, upstream: Scripted, brake: Brake) -> None:
    brake()
    url = f"{stack.url}/v1/sessions/x/release"
    assert httpx.post(url).status_code == 401
    assert httpx.get(url, headers={"authorization": f"Bearer {KEY}"}).status_code == 405
    unknown = httpx.post(url, headers={"authorization": f"Bearer {KEY}"})
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")


def test_requests_that_are_in_flight_at_once_pass_a_limit_together_at_most(
    stack: System, upstream: Scripted, brake: Brake
) -> None:
    brake(routes=ROUTES, perSession={"requests": 5}, hardPercent=100)

    def ask(number: int) -> int:
        body = {
            "model": "gpt-compatible",
            "messages": [{"role": "user", "content": f"hello {number}"}],
            "prompt_cache_key": "crowd",
        }
        headers = {"authorization": f"Bearer {KEY}"}
        return httpx.post(f"{stack.openai_url}/chat/completions", json=body, headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(ask, range(40)))
    assert 5 <= statuses.count(200) < 5 + 4
    assert statuses.count(429) == 40 - statuses.count(200)
    until(lambda: len(upstream.requests) == statuses.count(200), what="the requests to be noted")
