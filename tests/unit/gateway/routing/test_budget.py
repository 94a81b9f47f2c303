"""An outage is not amplified: further tries are a share of the requests and a constant."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.routing.budget import PER_SECOND, SHARE, WINDOW_SECONDS, RetryBudget

_BURST: Final = PER_SECOND * WINDOW_SECONDS


class Clock:
    def __init__(self) -> None:
        self.now = 100.5

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 400), st.integers(0, 16)), max_size=40),
)
def test_in_a_total_outage_further_tries_stay_within_the_budget(steps: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    budget = RetryBudget(clock)
    taken: list[tuple[int, int, int]] = []
    for pause, requests, targets in steps:
        clock.now += pause
        extra = 0
        for _ in range(requests):
            budget.requested("ns/r")
            tries = 1
            while tries < targets and budget.take("ns/r"):
                tries += 1
                extra += 1
        taken.append((int(clock.now), requests, extra))
    for last, _, spent in taken:
        # What was earned is lost before what was spent with it is forgotten, so that only spending can go too far.
        window = [each for each in taken if last - WINDOW_SECONDS < each[0] <= last]
        assert (
            not spent or sum(extra for _, _, extra in window) <= SHARE * sum(asked for _, asked, _ in window) + _BURST
        )
    windows = 1 + (taken[-1][0] - taken[0][0]) // WINDOW_SECONDS if taken else 0
    assert sum(extra for _, _, extra in taken) <= SHARE * sum(asked for _, asked, _ in taken) + _BURST * windows


def test_a_route_with_few_requests_always_fails_over() -> None:
    clock = Clock()
    budget = RetryBudget(clock)
    for _ in range(1000):
        clock.now += 1
        budget.requested("ns/r")
        assert all(budget.take("ns/r") for _ in range(PER_SECOND))


def test_what_was_spent_comes_back_after_a_while_and_what_was_saved_does_not_stay() -> None:
    clock = Clock()
    budget = RetryBudget(clock)
    for _ in range(10 * _BURST):
        budget.requested("ns/r")
    earned = int(SHARE * 10 * _BURST)
    assert sum(budget.take("ns/r") for _ in range(10 * _BURST)) == _BURST + earned
    clock.now += WINDOW_SECONDS
    assert sum(budget.take("ns/r") for _ in range(10 * _BURST)) == _BURST


def test_each_route_has_its_own_and_only_so_many_are_counted() -> None:
    budget = RetryBudget(Clock())
    while budget.take("ns/a"):
        pass
    assert budget.take("ns/b")
    for number in range(5000):
        budget.requested(f"ns/{number}")
    assert len(budget._windows) == 4096
