"""The error table as the real CLI shows it: with the gateway it must behave as without one.

Each row is played twice at once, with the upstream asked directly and through the gateway, and compared.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.builders.targets import ANTHROPIC_KEY, PASS_THROUGH
from tests.support.clients import cli
from tests.support.clients.tap import Message, Tap
from tests.support.processes.gateway import System, client, secret

from claude_gateway_scripted import Scripted

NARROW_KEY: Final = "cgw_narrow-0123456789"
HTML: Final = {"headers": {"content-type": "text/html"}, "raw": ["<html><h1>Bad Gateway</h1></html>"]}
# The pause lets the CLI read the events before the break. When both arrive in the same instant, the old CLI sometimes
# repeats with streaming and sometimes without, and does so without a gateway too: a race of its own.
DROP: Final = {"text": "one two three", "midstream": "drop", "midstream_after": 2, "chunk_delay": 0.3}
ADDRESS: Final = re.compile(r"127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """What the upstream answers, ``times`` over, and a part of what the newest CLI then says.

    ``same`` is off where the gateway must use its own words, because the upstream sent no message.
    """

    name: str
    answer: Mapping[str, Any]
    shown: str
    times: int = 9
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    same: bool = True


def refused(name: str, message: str, shown: str = "echo: hello") -> Row:
    """A 400 that the CLI knows by its wording, repairs, and asks again."""
    return Row(name, {"status": 400, "error_message": message}, shown, times=1)


def error(status: int, message: str, **headers: str) -> dict[str, Any]:
    return {"status": status, "error_message": message, "headers": {k.replace("_", "-"): v for k, v in headers.items()}}


def limit_reached() -> dict[str, str]:
    return {
        "anthropic_ratelimit_unified_status": "rejected",
        "anthropic_ratelimit_unified_reset": str(int(time.time()) + 7200),
        "anthropic_ratelimit_unified_representative_claim": "five_hour",
    }


ROWS: Final = (
    Row("404", error(404, "model: claude-opus"), "issue with the selected model"),
    Row("402", error(402, "Your credit balance is too low"), "Credit balance is too low"),
    Row("413", {**error(413, "Request exceeds the maximum size"), "error_type": "request_too_large"}, "too large"),
    Row("400", error(400, "the moon is not full"), "API Error: 400 the moon is not full"),
    Row("422", error(422, "the moon is not full"), "API Error: 422 the moon is not full"),
    Row("429", error(429, "slow down"), "Request rejected (429) · slow down"),
    Row("429-later", error(429, "slow down", retry_after="1"), "echo: hello", times=1),
    Row("429-never", error(429, "slow down", x_should_retry="false"), "Request rejected (429) · slow down"),
    Row("429-budget", {**error(429, "no money"), "error_type": "billing_error"}, "no money"),
    Row("429-limit", error(429, "limit", **limit_reached()), "429"),
    Row("500", error(500, "out of order"), "API Error: 500 out of order"),
    Row("500-once", error(500, "out of order"), "echo: hello", times=1),
    Row("502-page", {"status": 502, **HTML}, "API Error: 502", same=False),
    Row("503", error(503, "away"), "API Error: 503 away"),
    Row("503-never", error(503, "away", x_should_retry="false"), "API Error: 503 away"),
    Row("529-once", error(529, "Overloaded"), "echo: hello", times=1),
    Row(
        "529-other-model",
        error(529, "Overloaded"),
        "echo: hello",
        times=3,
        arguments=("--fallback-model", "claude-sonnet-5-5"),
        environment={"CLAUDE_CODE_MAX_RETRIES": "4"},
    ),
    Row("error-event", {"text": "one two three", "midstream": "error", "midstream_after": 2}, "echo: hello", times=1),
    Row("dropped", DROP, "echo: hello", times=1),
    refused("known-context", "context_management: Extra inputs are not permitted"),
    refused("known-thinking", "adaptive thinking is not supported on this model"),
    refused("known-tag", "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags"),
    refused("known-role", "messages.1.role: Input should be 'user' or 'assistant'"),
    refused("known-system", 'messages: Unexpected role "system". The Messages API accepts a top-level `system`'),
    refused("known-output", "output_config: Extra inputs are not permitted"),
    refused("known-beta", "Unexpected value(s) `per-turn-control-2026-07-01` for the `anthropic-beta` header."),
    refused("known-most", "max_tokens: 128000 > 64000, which is the maximum allowed number of output tokens for x"),
    refused("known-long", "prompt is too long: 210000 tokens > 200000 maximum", "Prompt is too long"),
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Two ways to an upstream: none in between, and the gateway; each is written down on the CLI's side."""

    system: System
    plain: Scripted
    behind: Scripted
    direct: Tap
    through: Tap


@pytest.fixture(scope="module")
def lines() -> Iterator[Lines]:
    with Scripted() as plain, Scripted() as behind, System() as system:
        narrow = client("narrow", NARROW_KEY, models=["claude-sonnet-*"])
        system.apply(PASS_THROUGH.format(url=behind.url), secret("anthropic", ANTHROPIC_KEY), *narrow)
        with Tap(plain.url) as direct, Tap(system.url) as through:
            yield Lines(system, plain, behind, direct, through)
        assert system.leaks(ANTHROPIC_KEY, NARROW_KEY) == []


@pytest.fixture(autouse=True)
def _restarted(lines: Lines) -> None:
    for upstream in (lines.plain, lines.behind):
        upstream.forget()
    for tap in (lines.direct, lines.through):
        tap.forget()


def ask(tap: Tap, key: str, row: Row, release: cli.Release) -> tuple[int, str, list[Any]]:
    """Say hello; return exit status, what was said, and the requests that were made for it."""
    environment = {"CLAUDE_CODE_MAX_RETRIES": "1", **row.environment}
    arguments = ["-p", *row.arguments, "--output-format", "json", "hello"]
    done = cli.run(arguments, url=tap.url, key=key, release=release, environment=environment)
    assert done.other_hosts == ()
    return done.rc, ADDRESS.sub("HERE", str(done.result["result"])), [outline(one.request) for one in tap.passed]


def outline(request: Message) -> Any:
    """What the CLI changes from try to try, without what differs from session to session."""
    body = json.loads(request.body)
    kept = {name: value for name, value in body.items() if name not in ("metadata", "system", "messages", "tools")}
    counts = (len(body["system"]), len(body["messages"]), len(body.get("tools", ())))
    return kept, counts, request.header("anthropic-beta")


@pytest.mark.parametrize("release", cli.RELEASES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_error_of_the_upstream_is_handled_as_without_a_gateway(lines: Lines, row: Row, release: cli.Release) -> None:
    for upstream in (lines.plain, lines.behind):
        upstream.script({**row.answer, "times": row.times})
    with ThreadPoolExecutor(2) as pool:
        runs = [(lines.direct, "any"), (lines.through, lines.system.key)]
        (rc, text, asked), (rc_through, text_through, asked_through) = pool.map(
            lambda run: ask(run[0], run[1], row, release), runs
        )
    assert (rc_through, asked_through) == (rc, asked), text_through
    if row.same:
        assert text_through == text
    if release == "newest":
        assert row.shown.lower() in text_through.lower()
    assert len(lines.behind.requests) == len(asked)


@pytest.mark.parametrize("release", cli.RELEASES)
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("login", ["token", "file"])
def test_a_refused_key_of_the_gateway_is_no_logout(
    lines: Lines, tmp_path: Path, release: cli.Release, status: int, login: str
) -> None:
    file = tmp_path / ".claude" / ".credentials.json"
    file.parent.mkdir()
    mine = {
        "accessToken": "sk-ant-oat01-mine",
        "refreshToken": "sk-ant-ort01-mine",
        "expiresAt": int(time.time() * 1000) + 20_000_000,
        "scopes": ["user:inference", "user:profile"],
    }
    file.write_text(json.dumps({"claudeAiOauth": mine}))
    before = file.read_bytes()
    environment = {"CLAUDE_CODE_MAX_RETRIES": "1"}
    if login == "file":
        # No token but the login's: the gateway's key goes in a header of its own.
        environment |= {"ANTHROPIC_AUTH_TOKEN": "", "ANTHROPIC_CUSTOM_HEADERS": f"x-gateway-key: {lines.system.key}"}
    lines.behind.script({**error(status, "invalid x-api-key"), "times": 9})
    asked = ["-p", "--output-format", "json", "hello"]
    done = cli.run(
        asked, url=lines.through.url, key=lines.system.key, release=release, home=tmp_path, environment=environment
    )
    assert done.rc == 1
    assert "refused the gateway's credential" in done.result["result"]
    assert "login" not in done.result["result"].lower()
    assert {one.answer.status for one in lines.through.passed if one.answer} == {502}
    assert all("sk-ant-oat01" not in str(request.headers) for request in lines.behind.requests)
    assert file.read_bytes() == before


@pytest.mark.parametrize("release", cli.RELEASES)
def test_an_unknown_key_ends_at_once(lines: Lines, release: cli.Release) -> None:
    # Many retries are allowed: what stops them is the answer.
    row = Row("401", {}, "", environment={"CLAUDE_CODE_MAX_RETRIES": "10"})
    rc, text, asked = ask(lines.through, "cgw_wrong", row, release)
    assert (rc, len(asked)) == (1, 1)
    assert "does not know this key" in text or "login" in text
    assert lines.behind.requests == ()


@pytest.mark.parametrize("release", cli.RELEASES)
def test_an_unknown_model_is_asked_for_no_longer_than_the_cli_insists(lines: Lines, release: cli.Release) -> None:
    row = Row("404", {}, "", arguments=("--model", "nowhere"))
    rc, text, asked = ask(lines.through, lines.system.key, row, release)
    assert rc == 1
    assert "issue with the selected model (nowhere)" in text
    # Streamed, then once more in one piece.
    assert len(asked) == 2
    assert lines.behind.requests == ()


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_model_that_is_not_allowed_is_said_in_the_gateways_words(lines: Lines, release: cli.Release) -> None:
    row = Row("400", {}, "", arguments=("--model", "claude-other"))
    rc, text, _ = ask(lines.through, NARROW_KEY, row, release)
    assert rc == 1
    assert "API Error: 400 this client may not use the model 'claude-other'" in text
    assert lines.behind.requests == ()
