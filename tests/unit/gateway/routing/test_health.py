"""What is remembered of targets that failed, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.routing.health import (
    ASIDE_SECONDS,
    FAILURES,
    LATEST_SECONDS,
    MOST_SECONDS,
    TRIAL_SECONDS,
    Health,
    retry_after,
)

_NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _failing(times: int) -> tuple[Health, Clock]:
    clock = Clock()
    health = Health(clock)
    for _ in range(times):
        health.failed("t", retry_after=None)
    return health, clock


def test_a_few_failures_are_forgiven() -> None:
    health, _ = _failing(FAILURES - 1)
    assert health.well("t")
    assert health.well("other")


def test_failures_in_a_row_put_a_target_aside_for_a_while() -> None:
    health, clock = _failing(FAILURES)
    assert not health.well("t")
    clock.now += ASIDE_SECONDS - 0.1
    assert not health.well("t")
    assert health.aside() == 1
    clock.now += 0.1
    assert health.aside() == 0
    assert health.well("t")


def test_then_one_request_tries_it_and_the_others_wait_for_that() -> None:
    health, clock = _failing(FAILURES)
    clock.now += ASIDE_SECONDS
    assert [health.well("t") for _ in range(3)] == [True, False, False]
    clock.now += TRIAL_SECONDS
    assert [health.well("t") for _ in range(2)] == [True, False]
    health.answered("t")
    assert [health.well("t") for _ in range(2)] == [True, True]
    health.failed("t", retry_after=None)
    assert health.well("t")


def test_each_further_failure_doubles_the_time_up_to_a_bound() -> None:
    health, clock = _failing(FAILURES)
    expected = ASIDE_SECONDS
    for _ in range(20):
        clock.now += expected
        assert health.well("t")
        health.failed("t", retry_after=None)
        expected = min(expected * 2, MOST_SECONDS)
        clock.now += expected - 0.1
        assert not health.well("t")
        clock.now += 0.1
        assert health.well("t")


@pytest.mark.parametrize(("said", "held"), [(5.0, 5.0), (90.0, 90.0), (1e9, LATEST_SECONDS)])
def test_an_upstream_that_says_when_is_put_aside_at_once_for_that_long(said: float, held: float) -> None:
    clock = Clock()
    health = Health(clock)
    health.failed("t", retry_after=said)
    clock.now += held - 0.1
    assert not health.well("t")
    clock.now += 0.1
    assert health.well("t")


def test_memory_is_bounded() -> None:
    health = Health(Clock())
    for number in range(20_000):
        health.failed(str(number), retry_after=1)
    assert len(health._troubles) <= 4096


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
def test_when_to_come_back_is_read_in_all_its_forms(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after(headers, now=_NOW) == seconds


@given(st.binary(max_size=40) | st.datetimes().map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
def test_whatever_it_says_is_read_or_not(value: bytes) -> None:
    found = retry_after([(b"retry-after", value)], now=_NOW)
    assert found is None or 0 <= found <= timedelta(days=4_000_000).total_seconds() * 10
