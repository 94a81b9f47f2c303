"""What is remembered of targets that failed, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.routing.health import (
    EJECTED_SECONDS,
    FAILURES,
    LATEST_SECONDS,
    MOST_SECONDS,
    TRIAL_SECONDS,
    Ejection,
    Health,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _failing(times: int) -> tuple[Health, Clock]:
    clock = Clock()
    health = Health(clock)
    for _ in range(times):
        health.failed("t")
    return health, clock


def test_a_few_failures_are_forgiven() -> None:
    health, _ = _failing(FAILURES - 1)
    assert health.well("t")
    assert health.well("other")


def test_failures_in_a_row_eject_a_target_for_a_while() -> None:
    health, clock = _failing(FAILURES)
    assert not health.well("t")
    clock.now += EJECTED_SECONDS - 0.1
    assert not health.well("t")
    assert len(list(health.ejections())) == 1
    clock.now += 0.1
    assert list(health.ejections()) == []
    assert health.well("t")


def test_then_one_request_tries_it_and_the_others_wait_for_that() -> None:
    health, clock = _failing(FAILURES)
    health.tried("t")
    assert not health.well("t")
    clock.now += EJECTED_SECONDS
    assert [health.well("t") for _ in range(3)] == [True, True, True]
    health.tried("t")
    assert not health.well("t")
    clock.now += TRIAL_SECONDS
    assert health.well("t")
    health.tried("t")
    assert not health.well("t")
    health.answered("t")
    assert health.well("t")
    health.failed("t")
    assert health.well("t")


def test_each_trial_that_fails_doubles_the_time_up_to_a_bound() -> None:
    health, clock = _failing(FAILURES)
    expected = EJECTED_SECONDS
    for _ in range(20):
        clock.now += expected
        assert health.well("t")
        health.tried("t")
        health.failed("t")
        expected = min(expected * 2, MOST_SECONDS)
        clock.now += expected - 0.1
        assert not health.well("t")
        clock.now += 0.1
        assert health.well("t")


@given(st.integers(FAILURES, 200))
def test_requests_that_fail_together_eject_a_target_once(failures: int) -> None:
    health, clock = _failing(failures)
    clock.now += EJECTED_SECONDS
    assert health.well("t")


@pytest.mark.parametrize(("said", "held"), [(5.0, 5.0), (90.0, 90.0), (1e9, LATEST_SECONDS)])
def test_an_upstream_that_says_when_is_ejected_at_once_for_that_long(said: float, held: float) -> None:
    clock = Clock()
    health = Health(clock)
    health.failed("t", retry_after=said)
    clock.now += held - 0.1
    assert not health.well("t")
    clock.now += 0.1
    assert health.well("t")


def test_a_later_time_to_come_back_counts_also_of_the_last_resort() -> None:
    health, clock = _failing(FAILURES)
    health.failed("t", retry_after=60)
    health.failed("t", retry_after=1)
    clock.now += 59.9
    assert not health.well("t")
    clock.now += 0.1
    assert health.well("t")


def test_a_trial_that_fails_without_a_word_ejects_it_again() -> None:
    clock = Clock()
    health = Health(clock)
    health.failed("t", retry_after=30)
    clock.now += 30
    health.tried("t")
    health.failed("t")
    clock.now += EJECTED_SECONDS - 0.1
    assert not health.well("t")
    clock.now += 0.1
    assert health.well("t")


def test_what_is_said_of_one_model_counts_for_this_model_alone() -> None:
    health = Health(Clock())
    health.failed("t", "opus", retry_after=60, reason="rate_limited")
    assert not health.well("t", "opus")
    assert health.well("t", "sonnet")
    health.answered("t", "sonnet")
    assert not health.well("t", "opus")
    health.answered("t", "opus")
    assert health.well("t", "opus")


def test_what_is_said_of_a_target_counts_for_all_its_models() -> None:
    health = Health(Clock())
    health.failed("t", retry_after=60)
    assert not health.well("t", "opus")
    health.answered("t", "sonnet")
    assert health.well("t", "opus")


def test_an_ejection_is_reported_since_its_target_answered_last() -> None:
    health, clock = _failing(0)
    began = clock.now
    for _ in range(FAILURES):
        health.failed("t", "m", reason="overloaded")
    first = Ejection("t", "m", "overloaded", since=began, until=began + EJECTED_SECONDS)
    assert list(health.ejections()) == [first]
    clock.now += EJECTED_SECONDS
    assert list(health.ejections()) == []
    assert list(health.ejections(1.0)) == [first]
    health.tried("t", "m")
    health.failed("t", "m", reason="connect", retry_after=100)
    assert list(health.ejections()) == [Ejection("t", "m", "connect", since=began, until=clock.now + 100)]
    clock.now += 100 + LATEST_SECONDS + 1
    health.failed("t", "m", reason="connect")
    assert list(health.ejections()) == [
        Ejection("t", "m", "connect", since=clock.now, until=clock.now + 4 * EJECTED_SECONDS)
    ]


def test_memory_is_bounded() -> None:
    health = Health(Clock())
    for number in range(20_000):
        health.failed(str(number), retry_after=1)
        health.failed("t", str(number), retry_after=1)
    assert len(health._troubles) <= 4096
    assert len(health._troubles["t"]) <= 64
    assert not health.well("t", "19999")
