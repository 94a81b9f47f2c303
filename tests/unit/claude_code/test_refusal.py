"""What an error of Anthropic's is for the caller."""

import json

import pytest

from claude_gateway.names import HEADER_LOGIN_STATE
from claude_gateway_claude_code.refusal import failure_of, failure_of_event

NOW = 1_800_000_000.0
RESET = "anthropic-ratelimit-unified-reset"


def error(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "message"), [(401, "invalid bearer token"), (403, "OAuth token has been revoked"), (403, "Token scope")]
)
def test_a_login_is_rejected(status: int, message: str) -> None:
    failure = failure_of(status, {}, error("authentication_error", message))
    assert failure.status == 502
    assert (HEADER_LOGIN_STATE.encode(), b"rejected") in failure.headers()
    assert message in failure.message


def test_what_a_login_may_not_is_no_fault_of_the_login() -> None:
    failure = failure_of(403, {}, error("permission_error", "Your plan does not include this model"))
    assert failure.status == 403
    assert dict(failure.headers()).get(HEADER_LOGIN_STATE.encode()) is None


@pytest.mark.parametrize("status", [400, 404, 413, 500, 503, 529])
def test_other_errors_keep_status_type_and_words(status: int) -> None:
    failure = failure_of(status, {"request-id": "req_1", "retry-after": "3"}, error("some_error", "these words"))
    assert (failure.status, failure.type, failure.message) == (status, "some_error", "these words")
    assert (failure.request_id, failure.retry_after) == ("req_1", "3")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', b"[" * 100_000])
def test_an_error_without_words_has_some(body: bytes) -> None:
    assert failure_of(500, {}, body).message == "Anthropic answered with status 500"


@pytest.mark.parametrize("status", [100, 302, 600])
def test_what_is_no_answer_is_502(status: int) -> None:
    assert failure_of(status, {}, b"").status == 502


@pytest.mark.parametrize(
    ("headers", "after", "retry"),
    [
        ({}, None, None),
        ({"retry-after": "30"}, "30", True),
        ({"retry-after": "soon"}, None, None),
        ({RESET: str(NOW + 3600)}, "3600", False),
        ({RESET: str(NOW + 3600), "retry-after": "5"}, "3600", False),
        ({RESET: str(NOW - 5)}, None, None),
        ({RESET: "9" * 400}, None, None),
        ({RESET: "99999999999"}, "2592000", False),
    ],
)
def test_a_limit_says_when_it_ends(headers: dict[str, str], after: str | None, retry: bool | None) -> None:
    failure = failure_of(429, headers, error("rate_limit_error", "no more"), now=NOW)
    assert (failure.status, failure.retry_after, failure.retry) == (429, after, retry)


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (error("overloaded_error", "busy"), 529, "overloaded_error"),
        (error("invalid_request_error", "no"), 400, "invalid_request_error"),
        (error("api_error", "no"), 502, "api_error"),
        (b"", 502, "api_error"),
        (b"{", 502, "api_error"),
    ],
)
def test_an_error_in_a_stream_has_a_status(data: bytes, status: int, kind: str) -> None:
    failure = failure_of_event(data, {})
    assert (failure.status, failure.type) == (status, kind)


@pytest.mark.parametrize("kind", ["authentication_error", "permission_error"])
def test_a_login_is_rejected_in_a_stream_too(kind: str) -> None:
    failure = failure_of_event(error(kind, "OAuth token has been revoked"), {})
    assert failure.status == 502
    assert (HEADER_LOGIN_STATE.encode(), b"rejected") in failure.headers()


def test_a_limit_in_a_stream_says_when_it_ends() -> None:
    failure = failure_of_event(error("rate_limit_error", "no more"), {RESET: str(NOW + 3600)}, now=NOW)
    assert (failure.status, failure.retry_after, failure.retry) == (429, "3600", False)
