"""Errors that Claude Code writes like answers are real ones here, with a status, a reason and a time."""

import json
import time
from typing import Final

import httpx
import pytest
from tests.support.processes.backend import OTHER_LOGIN, Backend
from tests.support.processes.waiting import until

from claude_gateway.names import HEADER_LOGIN, HEADER_LOGIN_STATE
from claude_gateway_scripted import Scripted


def test_a_rejected_login_is_not_the_callers_401(backend: Backend, upstream: Scripted) -> None:
    upstream.script({"status": 401, "error_message": "OAuth token has expired"})
    answer = backend.ask()
    assert answer.status_code == 502
    assert answer.headers[HEADER_LOGIN_STATE] == "rejected"
    assert answer.headers["x-should-retry"] == "false"
    assert "OAuth token has expired" in answer.json()["error"]["message"]


def test_a_used_up_subscription_says_when_it_starts_again(backend: Backend, upstream: Scripted) -> None:
    limit = "anthropic-ratelimit-unified"
    reset = int(time.time()) + 3600
    headers = {f"{limit}-status": "rejected", f"{limit}-reset": str(reset), f"{limit}-5h-utilization": "1.0"}
    upstream.script({"status": 429, "headers": headers, "error_message": "This request would exceed your limit"})
    answer = backend.ask(stream=True)
    assert answer.status_code == 429
    assert 3500 < int(answer.headers["retry-after"]) <= 3600
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers[f"{limit}-5h-utilization"] == "1.0"
    error = answer.json()["error"]
    assert error["type"] == "rate_limit_error"
    assert "resets at" in error["message"]


def test_an_overloaded_upstream_is_529(backend: Backend, upstream: Scripted) -> None:
    upstream.script({"status": 529, "error_message": "Overloaded", "headers": {"retry-after": "7"}})
    answer = backend.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (529, "7")
    assert answer.json()["error"] == {"type": "overloaded_error", "message": "Overloaded"}


def test_a_mistake_keeps_anthropics_words(backend: Backend, upstream: Scripted) -> None:
    upstream.script({"status": 400, "error_message": "prompt is too long: 210000 tokens > 200000 maximum"})
    answer = backend.ask()
    assert answer.status_code == 400
    error = {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}
    assert answer.json()["error"] == error


def test_an_error_in_the_stream_is_an_event(backend: Backend, upstream: Scripted) -> None:
    broken = {"midstream": "error", "midstream_after": 2, "chunk_delay": 0.2, "error_type": "overloaded_error"}
    upstream.script({"text": "one two three", **broken})
    answer = backend.ask(stream=True)
    assert answer.status_code == 200
    name, data = answer.text.strip().rpartition("event: ")[2].split("\n", 1)
    assert name == "error"
    assert json.loads(data.removeprefix("data: "))["error"]["type"] == "overloaded_error"


def test_a_cut_stream_is_no_whole_answer(backend: Backend, upstream: Scripted) -> None:
    upstream.script({"text": "one two three", "midstream": "drop"})
    answer = backend.ask()
    assert answer.status_code == 502
    assert "broke off" in answer.json()["error"]["message"]


BEGUN: Final = 'event: message_start\ndata: {"type": "message_start", "message": {"role": "assistant"}}\n\n'


@pytest.mark.parametrize("raw", [BEGUN, "", "<html>a proxy</html>", '{"type": "message"}', "event: ping\ndata: {}\n\n"])
def test_an_answer_without_its_end_is_no_whole_answer(backend: Backend, upstream: Scripted, raw: str) -> None:
    """Claude Code itself would make up the end of an answer that ends in good order."""
    upstream.script({"raw": [raw]})
    answer = backend.ask()
    assert answer.status_code == 502
    assert "broke off" in answer.json()["error"]["message"]
    assert len(upstream.requests) == 1


def event(kind: str, message: str) -> str:
    """An error in place of an answer's events."""
    return f'event: error\ndata: {{"type": "error", "error": {{"type": "{kind}", "message": "{message}"}}}}\n\n'


@pytest.mark.parametrize("kind", ["authentication_error", "permission_error"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_login_that_is_rejected_in_the_stream_is_rejected(
    backend: Backend, upstream: Scripted, kind: str, stream: bool
) -> None:
    upstream.script({"raw": [event(kind, "OAuth token has been revoked")]})
    answer = backend.ask(stream=stream)
    assert (answer.status_code, answer.headers[HEADER_LOGIN_STATE]) == (502, "rejected")


def test_a_limit_in_the_stream_says_when_it_ends(backend: Backend, upstream: Scripted) -> None:
    reset = {"anthropic-ratelimit-unified-reset": str(int(time.time()) + 3600)}
    upstream.script({"raw": [event("rate_limit_error", "no more")], "headers": reset})
    answer = backend.ask(stream=True)
    assert answer.status_code == 429
    assert 3500 < int(answer.headers["retry-after"]) <= 3600


def test_a_rejected_login_loses_its_processes(backend: Backend, upstream: Scripted) -> None:
    assert backend.ask(login=OTHER_LOGIN).status_code == 200
    backend.ready(2)
    upstream.script({"status": 401})
    assert backend.ask(login=OTHER_LOGIN).status_code == 502
    until(lambda: backend.metric("claude_gateway_claude_code_ready_processes") <= 1, what="its processes to end")


def test_only_known_callers_may_ask(backend: Backend, upstream: Scripted) -> None:
    body = {"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    wrong = {"x-api-key": "cgb_another-key-than-ours", HEADER_LOGIN: OTHER_LOGIN}
    for headers in ({}, wrong, {HEADER_LOGIN: OTHER_LOGIN}, {"authorization": "Basic Og=="}):
        answer = httpx.post(f"{backend.url}/v1/messages", json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["x-should-retry"] == "false"
    without = httpx.post(f"{backend.url}/v1/messages", json=body, headers={"x-api-key": backend.key})
    assert without.status_code == 400
    assert HEADER_LOGIN in without.json()["error"]["message"]
    assert not upstream.requests
