"""When an upstream wants to be asked again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.routing.resets import retry_after

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
    assert retry_after(headers, now=_NOW) == seconds


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
    ],
)
def test_limits_count_where_nothing_is_left(headers: Headers, seconds: float | None) -> None:
    assert retry_after(headers, now=_NOW) == seconds
    assert retry_after([*headers, (b"retry-after", b"3")], now=_NOW) == 3.0


@given(st.binary(max_size=40) | st.datetimes().map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
def test_whatever_it_says_is_read_or_not(value: bytes) -> None:
    names = [b"retry-after", _TOKENS + b"-reset", b"x-ratelimit-reset-a"]
    nothing_left = [(_TOKENS + b"-remaining", b"0"), (b"x-ratelimit-remaining-a", b"0")]
    for name in names:
        found = retry_after([(name, value), *nothing_left], now=_NOW)
        assert found is None or 0 <= found <= timedelta(days=4_000_000).total_seconds() * 10_000
