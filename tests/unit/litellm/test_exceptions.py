"""Exceptions as LiteLLM raises them, without LiteLLM."""

import errno
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import exceptions, masking
from claude_gateway_proxy.litellm.exceptions import of_event, of_exception
from claude_gateway_proxy.litellm.guard import AddressRefused
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation import limits, repair

TARGET = Target(id="t", model="hosted_vllm/m", api_base=None, api_key="sk-secret", timeout=None, dial=None)


def flattened(value: object) -> Iterator[re.Pattern[str]]:
    """The patterns within a value of a module."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from flattened(each)


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


def test_an_answer_that_litellm_cannot_read_is_a_broken_one() -> None:
    found = failure(
        caused(UpstreamError("litellm.APIConnectionError: BedrockException - 'output'", 500), KeyError("output"))
    )
    assert (found.status, found.code) == (502, "upstream_broken")
    assert found.message == "the upstream's answer is not in the format of its provider"
    words = 'litellm.InternalServerError: XException - {"error":{"message":"oh no"}}'
    assert failure(caused(UpstreamError(words, 500), KeyError("output"))).message == "oh no"
    assert failure(caused(UpstreamError("'output' is wrong", 400), KeyError("output"))).status == 400


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


PEM = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
SECRETS = Target(
    id="t",
    model="vertex_ai/m",
    api_base=None,
    api_key='sk-"quoted"/key',
    timeout=None,
    dial=None,
    cloud={
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "AKIAOFTHETARGET",
        "aws_secret_access_key": "secret-of-aws",
        "vertex_credentials": {
            "type": "service_account",
            "private_key": f"-----BEGIN PRIVATE KEY-----\n{PEM}\n{PEM[::-1]}\n-----END PRIVATE KEY-----\n",
            "client_email": "a@b",
        },
    },
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('wrong key sk-"quoted"/key!', "wrong key [key]!"),
        (json.dumps({"error": {"message": 'wrong key sk-"quoted"/key!'}}), "wrong key [key]!"),
        ('{"error": {"message": "wrong key \\u0073k-\\u0022quoted\\u0022/key!"}}', "wrong key [key]!"),
        ("key=sk-%22quoted%22%2Fkey&x=1", "key=[key]&x=1"),
        ("us-east-1 AKIAOFTHETARGET secret-of-aws", "us-east-1 [key] [key]"),
        (f"a@b -----BEGIN\n{PEM}\n{PEM[::-1]}\n-----", "a@b -----BEGIN\n[key]\n[key]\n-----"),
        (f"a@b -----BEGIN\\n{PEM}\\n{PEM[::-1]}\\n-----", "a@b -----BEGIN\\n[key]\\n[key]\\n-----"),
        ('Incorrect API key provided: sk-"quo******/key.', "Incorrect API key provided: [key]."),
        ("Basic dTpzay0icXVvdGVkIi9rZXk=", "Basic [key]="),
        ("service_account: Bearer ya29.a0AbC-d_e.f", "service_account: Bearer [key]"),
        ("token ya29.a0AbC-d_e.f", "token [key]"),
        ("identity ASIA0123456789ABCDEF", "identity [key]"),
        ("the Bearer token is missing", "the Bearer token is missing"),
        ("x" * 3_990 + 'sk-"quoted"/key', "x" * 3_990 + "[key]"),
        ("x" * 3_998 + 'sk-"quoted"/key', "x" * 3_998 + "[k"),
    ],
)
def test_no_key_of_the_target_is_passed_on(text: str, words: str) -> None:
    assert of_exception(UpstreamError(text, 400), target=SECRETS, format=Format.CHAT).message == words
    assert of_event({"error": {"message": text}}, target=SECRETS).message == words


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("x", "xyz", "xyz"),
        ("ab12", "wrong ab12", "wrong ab12"),
        ("a1b2c", "wrong a1b2c!", "wrong [key]!"),
        ("a1b2c", "path/a1b2cd and a1b2-c", "path/a1b2cd and a1b2-c"),
        ("none", "none of them", "none of them"),
        ("placeholder", "a placeholder", "a placeholder"),
        ("placeholders", "the placeholders", "the [key]"),
        ("k3y-of-team", "key k3y-of-team", "key [key]"),
    ],
)
def test_a_short_key_is_masked_as_a_whole_word_unless_it_may_be_any_word(key: str, text: str, words: str) -> None:
    """As the gateway masks it: both lanes use one mask."""
    assert of_event({"error": {"message": text}}, target=replace(TARGET, api_key=key)).message == words


@pytest.mark.parametrize("text", ["b'{\\xzz'", "b'{é'", 'b"{\\N"'])
def test_what_only_looks_like_bytes_is_a_text(text: str) -> None:
    assert failure(UpstreamError(text, 400)).message == text


def test_a_long_message_is_cut() -> None:
    for text in ("x" * 100_000, json.dumps({"error": {"message": "x" * 50_000}})):
        assert failure(UpstreamError(text, 400)).message == "x" * 4_000


HOSTILE = (
    *("b'{", 'b"{', "b'{\\", "{", '{"', "[", "litellm.A", "http://", "http://@", "http://?", "AError", "AError: "),
    *(" ", "\n", ". ", "1,", "aA1", "max_tokens ", "max_tokens range of ", "contains 1 tokens ", "input of 1 tokens "),
    *("context length is 1 tokens ", "Bearer ", "ya29.", "encrypted content ", "thinking ", "Original exception"),
)


def cost(work: Callable[[], object]) -> float:
    """CPU seconds of the cheapest of some runs."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize("seed", HOSTILE)
def test_a_hostile_error_costs_no_more_than_its_length(seed: str) -> None:
    def costs(size: int) -> float:
        text = (seed * size)[:size]
        return cost(lambda: (failure(UpstreamError(text, 400)), of_event({"error": {"message": text}}, target=TARGET)))

    # Eight times the text: a quadratic reading of it would cost 64 times as much.
    assert costs(320_000) < 24 * max(costs(40_000), 0.001)


PATTERNS = [
    value
    for module in (exceptions, limits, masking, repair)
    for found in vars(module).values()
    for value in flattened(found)
]


@pytest.mark.parametrize("seed", HOSTILE)
def test_every_pattern_is_linear_in_what_it_reads(seed: str) -> None:
    assert len(PATTERNS) > 20
    for pattern in PATTERNS:

        def costs(size: int, pattern: re.Pattern[str] = pattern) -> float:
            text = (seed * size)[:size]
            return cost(lambda: pattern.search(text))

        assert costs(32_000) < 24 * max(costs(4_000), 0.001), pattern.pattern


def test_envelopes() -> None:
    found = failure(UpstreamError("x", 429))
    assert OPERATIONS[Format.MESSAGES].error_body(found) == (
        b'{"type":"error","error":{"type":"rate_limit_error","message":"x"}}'
    )
    assert OPERATIONS[Format.CHAT].error_body(found) == (
        b'{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}'
    )
