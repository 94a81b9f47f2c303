"""When an upstream wants to be asked again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.resets import in_words, retry_after

_NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
_UNIX = int(_NOW.timestamp())
_TOKENS = b"anthropic-ratelimit-input-tokens"
_FIVE_HOURS = b"anthropic-ratelimit-unified-5h"

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"Retry-After", b"7")], 7.0),
        ([(b"retry-after", b"0")], 0.0),
        ([(b"retry-after", b" 1.5 ")], 1.5),
        ([(b"Retry-After", b"Sat, 21 Nov 2026 12:00:30 GMT")], 30.0),
        ([(b"Retry-After", b"Sat, 21 Nov 2026 11:00:00 GMT")], 0.0),
        ([(b"Retry-After", b"Sat, 21 Nov 2026 12:00:30")], 30.0),
        ([(b"retry-after-ms", b"1500"), (b"retry-after", b"9")], 1.5),
        ([(b"retry-after-ms", b"soon"), (b"retry-after", b"9")], 9.0),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-3")], None),
        ([(b"retry-after", b"9" * 400)], None),
        ([(b"retry-after", b"\xb2")], None),
    ],
)
def test_when_to_come_back_is_read_in_all_its_forms(headers: Headers, seconds: float | None) -> None:
    assert retry_after(500, headers, now=_NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(_TOKENS + b"-remaining", b"0"), (_TOKENS + b"-reset", b"2026-11-21T12:00:40Z")], 40.0),
        ([(_TOKENS + b"-remaining", b"0"), (_TOKENS + b"-reset", b"2026-11-21T13:00:40+01:00")], 40.0),
        ([(_TOKENS + b"-remaining", b"0"), (_TOKENS + b"-reset", b"2026-11-21T11:00:00Z")], 0.0),
        ([(_TOKENS + b"-remaining", b"7"), (_TOKENS + b"-reset", b"2026-11-21T12:00:40Z")], None),
        ([(_TOKENS + b"-reset", b"2026-11-21T12:00:40Z")], None),
        ([(_TOKENS + b"-remaining", b"0"), (_TOKENS + b"-reset", b"soon")], None),
        (
            [
                (_TOKENS + b"-remaining", b"0"),
                (_TOKENS + b"-reset", b"2026-11-21T12:00:40Z"),
                (b"anthropic-ratelimit-requests-remaining", b"0"),
                (b"anthropic-ratelimit-requests-reset", b"2026-11-21T12:00:50Z"),
                (b"anthropic-ratelimit-output-tokens-remaining", b"5"),
                (b"anthropic-ratelimit-output-tokens-reset", b"2026-11-21T12:09:00Z"),
            ],
            50.0,
        ),
        ([(_FIVE_HOURS + b"-status", b"rejected"), (_FIVE_HOURS + b"-reset", b"%d" % (_UNIX + 90))], 90.0),
        ([(_FIVE_HOURS + b"-status", b"allowed"), (_FIVE_HOURS + b"-reset", b"%d" % (_UNIX + 90))], None),
        ([(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"1m6s")], 66.0),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"120ms")], 0.12),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"1h0m0.5s")], 3600.5),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"12")], 12.0),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"")], None),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"soon")], None),
        ([(b"x-ratelimit-remaining-tokens", b"9"), (b"x-ratelimit-reset-tokens", b"6s")], None),
        ([(b"x-ratelimit-reset-tokens", b"6s")], None),
        ([(b"x-ratelimit-remaining", b"0"), (b"x-ratelimit-reset", b"%d" % (_UNIX + 90))], 90.0),
        ([(b"X-RateLimit-Remaining", b"0"), (b"X-RateLimit-Reset", b"%d000" % (_UNIX + 90))], 90.0),
        ([(b"ratelimit-remaining", b"0"), (b"ratelimit-reset", b"30")], 30.0),
    ],
)
def test_limits_count_where_nothing_is_left(headers: Headers, seconds: float | None) -> None:
    assert retry_after(500, headers, now=_NOW) == seconds
    assert retry_after(500, [*headers, (b"retry-after", b"3")], now=_NOW) == 3.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"x-ratelimit-reset-tokens", b"6s")], 6.0),
        ([(b"x-ratelimit-reset-tokens-day", b"5h"), (b"x-ratelimit-reset-requests-minute", b"20s")], 20.0),
        ([(b"x-ratelimit-remaining-tokens", b"9"), (b"x-ratelimit-reset-tokens", b"6s")], None),
        ([(b"x-ratelimit-limit-tokens", b"9"), (b"x-ratelimit-reset-tokens", b"soon")], None),
    ],
)
def test_a_429_that_names_only_resets_means_the_earliest(headers: Headers, seconds: float | None) -> None:
    assert retry_after(429, headers, now=_NOW) == seconds
    assert retry_after(503, headers, now=_NOW) is None


WORDS = {
    "Rate limit reached for gpt-x on tokens per min (TPM): Limit 30000, Used 29000. Please try again in 6m0s.": 360.0,
    "Please try again in 7.66s. Need more tokens?": 7.66,
    "Please try again in 120ms.": 0.12,
    "Please try again in 1h2m3.5s": 3723.5,
    "Please retry after 20 seconds.": 20.0,
    "You exceeded your current quota. Please retry in 34.074824224s.": 34.074824224,
    "Request was throttled. Expected available in 6 seconds.": 6.0,
    "Try again in about 2 minutes and 5 seconds": 125.0,
    "please wait 30 seconds before you send more": 30.0,
    "Rate limited; resets in 1 hour, 10 minutes": 4200.0,
    "retry your request after 5 secs": 5.0,
    "RETRY AFTER 1 DAY": 86400.0,
    '{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"20s"}]}}': 20.0,
    'VertexAIException - b\'{\\n  "@type": "x.RetryInfo",\\n  "retryDelay": "20.5s"\\n}\'': 20.5,
    '{"error": "{\\"retryDelay\\": \\"3s\\"}"}': 3.0,
    "{'error': {'retryDelay': '3s'}}": 3.0,
    '{"detail":"Throttled.","retry_after": 6}': 6.0,
    '{"error":{"message":"slow down","retry_after_seconds":"2.5"}}': 2.5,
    "Too many requests, please wait before trying again.": None,
    "Please try again later.": None,
    "Limit 6000 tokens per minute, used 20 in 3 seconds": None,
    '{"retryDelay": "soon"}': None,
    '{"retry_after": null}': None,
}


@pytest.mark.parametrize(("said", "seconds"), WORDS.items())
def test_an_errors_body_says_when_to_come_back(said: str, seconds: float | None) -> None:
    for status in (429, 503, 529):
        assert retry_after(status, (), said.encode(), now=_NOW) == retry_after(status, (), said, now=_NOW)
        assert retry_after(status, (), said, now=_NOW) == pytest.approx(seconds)
    assert retry_after(500, (), said, now=_NOW) is None, "nothing else is about limits"
    used_up = [(b"x-ratelimit-remaining-a", b"0"), (b"x-ratelimit-reset-a", b"9s")]
    assert retry_after(429, used_up, said, now=_NOW) == 9.0


@given(st.text(max_size=60) | st.from_regex(r"try again in [0-9smhd. ]{1,30}"))
def test_any_words_are_read_or_not(text: str) -> None:
    found = in_words(text)
    assert found is None or found >= 0


@given(st.binary(max_size=40) | st.datetimes().map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
def test_whatever_it_says_is_read_or_not(value: bytes) -> None:
    names = [b"retry-after", _TOKENS + b"-reset", b"x-ratelimit-reset-a"]
    nothing_left = [(_TOKENS + b"-remaining", b"0"), (b"x-ratelimit-remaining-a", b"0")]
    for name in names:
        found = retry_after(429, [(name, value), *nothing_left], now=_NOW)
        assert found is None or 0 <= found <= timedelta(days=4_000_000).total_seconds() * 10_000
