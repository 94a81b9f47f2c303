"""Exceptions as LiteLLM raises them, without LiteLLM."""

import errno
from typing import Any

import httpx
import pytest

from claude_gateway.contract.policy import Format
from claude_gateway_proxy.litellm.exceptions import of_event, of_exception
from claude_gateway_proxy.litellm.guard import AddressRefused
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.operations import OPERATIONS

TARGET = Target(id="t", model="hosted_vllm/m", api_base=None, api_key="sk-secret", timeout=None, dial=None)


class UpstreamError(Exception):
    """Like the classes of LiteLLM's providers."""

    def __init__(self, message: str, status_code: int | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status_code is not None:
            self.status_code = status_code
        self.litellm_response_headers = httpx.Headers(headers or {})


def failure(error: Exception, format: Format = Format.MESSAGES) -> Any:
    return of_exception(error, target=TARGET, format=format)


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


def test_the_innermost_status_counts() -> None:
    found = failure(caused(UpstreamError("litellm.InternalServerError: x", 500), UpstreamError("Overloaded", 529)))
    assert (found.status, found.type) == (529, "overloaded_error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('litellm.BadRequestError: XException - {"error":{"message":"no \\"x\\""}}', 'no "x"'),
        ('litellm.BadRequestError: XException - b\'{"error":{"message":"it isn\\\'t"}}\'', "it isn't"),
        ('litellm.BadRequestError: XException - {"detail":"bad"}. Handle with `litellm.BadRequestError`.', "bad"),
        ('litellm.BadRequestError: XException - {"error":"bad"}', "bad"),
        ("litellm.BadRequestError: litellm.ContextError: XException - bad. Received Model Group=x", "bad"),
        ("litellm.APIConnectionError: bad\nTraceback (most recent call last):\n File", "bad"),
        ("XException - {not json", "{not json"),
        ("key sk-secret at http://u:p@h/x?key=1", "key [key] at http://h/x"),
        ("b''", "the upstream gave no reason"),
        ("", "the upstream gave no reason"),
    ],
)
def test_the_upstreams_words(text: str, words: str) -> None:
    assert failure(UpstreamError(text, 400)).message == words


@pytest.mark.parametrize(
    ("inner", "status", "code"),
    [
        (AddressRefused("127.0.0.1"), 502, "upstream_address_refused"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "127.0.0.1:80"), 502, "upstream_unreachable"),
        (httpx.ReadError("cut"), 502, "upstream_unreachable"),
        (httpx.ReadTimeout("slow"), 504, "upstream_timeout"),
        (UpstreamError("moved", 307), 502, "upstream_redirected"),
    ],
)
def test_what_is_no_answer(inner: Exception, status: int, code: str) -> None:
    found = failure(caused(UpstreamError("litellm.InternalServerError: 10.0.0.1:80", 500), inner))
    assert (found.status, found.code) == (status, code)
    assert "10.0.0.1" not in found.message


def test_a_bug_is_told_in_our_words_only() -> None:
    found = failure(KeyError("the prompt itself"))
    assert (found.status, found.code, found.message) == (500, "internal_error", "the request could not be translated")


@pytest.mark.parametrize("value", ["7", "Fri, 01 Jan 2027 00:00:00 GMT"])
def test_retry_after_is_passed_on(value: str) -> None:
    inner = UpstreamError("slow down", 429, {"Retry-After": value})
    assert failure(caused(UpstreamError("litellm.RateLimitError: x", 429), inner)).retry_after == value


@pytest.mark.parametrize("value", ["a" * 64, "7\r\nx-evil: 1", "ü"])
def test_a_strange_retry_after_is_not(value: str) -> None:
    error = UpstreamError("slow down", 429)
    error.litellm_response_headers = {"retry-after": value}  # type: ignore[assignment]
    assert failure(error).retry_after is None


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        ({"error": {"type": "overloaded_error", "message": "x"}}, 529, "overloaded_error"),
        ({"error": {"type": "api_error", "message": "litellm.XError: Overloaded"}}, 529, "overloaded_error"),
        ({"error": {"type": "api_error", "message": "Cannot connect to host 10.0.0.1:80"}}, 502, "api_error"),
        ({"error": {"code": 429, "message": "x"}}, 429, "rate_limit_error"),
        ({"type": "error", "message": "x"}, 500, "api_error"),
        ({"error": "x"}, 500, "api_error"),
        ({}, 500, "api_error"),
    ],
)
def test_errors_within_a_stream(data: dict[str, Any], status: int, kind: str) -> None:
    found = of_event(data, target=TARGET)
    assert (found.status, found.type) == (status, kind)
    assert "10.0.0.1" not in found.message


def test_envelopes() -> None:
    found = failure(UpstreamError("x", 429))
    assert OPERATIONS[Format.MESSAGES].error_body(found) == (
        b'{"type":"error","error":{"type":"rate_limit_error","message":"x"}}'
    )
    assert OPERATIONS[Format.CHAT].error_body(found) == (
        b'{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}'
    )
