"""Counters in memory: rates, slots and purses, taken together or not at all, and corrected when requests end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken
from claude_gateway_proxy.gateway.admission.counters.memory import KEPT_SECONDS, MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Purse, Slots


@dataclass
class _Clock:
    """Seconds that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class _Counted:
    """Counters with their clock."""

    clock: _Clock = field(default_factory=_Clock)
    holders: int = 0

    def __post_init__(self) -> None:
        self.counters = MemoryCounters(self.clock, unix=self.clock)

    def take(self, *demands: Demand, holder: str | None = None) -> Taken | Refused:
        self.holders += 1
        return asyncio.run(self.counters.take(demands, holder=holder or str(self.holders)))

    def settle(self, demands: Sequence[Demand], *actual: int, holder: str) -> None:
        self.counters.settle(demands, actual, holder=holder)

    def spent(self, key: str) -> int:
        return asyncio.run(self.counters.read([key]))[key]


def _bucket(units: int = 1, per_minute: int = 6, key: str = "b") -> Bucket:
    return Bucket(key=key, per_minute=per_minute, burst=per_minute, units=units)


def _purse(reserve: int, amount: int | None = 100, ends_at: int = 2000) -> Purse:
    return Purse("p", amount=amount, reserve=reserve, ends_at=ends_at)


def test_what_must_fit_as_a_whole_is_not_let_through_alone() -> None:
    counted = _Counted()
    for reserve, taken in ((101, False), (60, True), (41, False), (40, True), (1, False)):
        purse = Purse("p", amount=100, reserve=reserve, ends_at=2000, whole=True)
        assert isinstance(counted.take(purse, holder=str(reserve)), Taken) is taken, reserve


def test_a_bucket_says_exactly_when_there_is_room() -> None:
    counted = _Counted()
    assert all(isinstance(counted.take(_bucket()), Taken) for _ in range(6))
    assert counted.take(_bucket()) == Refused(0, 10.0)
    counted.clock.now += 9.999
    assert counted.take(_bucket()) == Refused(0, 0.001)
    counted.clock.now += 0.001
    assert counted.take(_bucket()) == Taken((5,))


def test_more_than_a_bucket_holds_is_taken_by_an_empty_one_and_paid_off() -> None:
    counted = _Counted()
    assert counted.take(_bucket(units=12)) == Taken((0,))
    assert counted.take(_bucket()) == Refused(0, 70.0)
    assert counted.take(_bucket(units=7)) == Refused(0, 120.0)


def test_what_was_used_replaces_what_was_taken() -> None:
    counted = _Counted()
    demand = _bucket(units=6)
    counted.take(demand, holder="a")
    counted.settle([demand], 2, holder="a")
    assert counted.take(_bucket(units=4)) == Taken((2,))
    counted.clock.now += 60
    counted.take(demand, holder="b")
    counted.settle([demand], 9, holder="b")
    assert counted.take(_bucket()) == Refused(0, 40.0)


def test_a_limit_that_changes_keeps_what_counts() -> None:
    counted = _Counted()
    counted.take(_bucket(units=6))
    assert counted.take(_bucket(per_minute=12)) == Taken((6,))
    assert counted.take(_bucket(per_minute=2)) == Refused(0, 180.0)


def test_a_clock_that_goes_back_stops_the_drain_for_no_longer_than_it_went_back() -> None:
    counted = _Counted()
    counted.take(_bucket(units=6))
    counted.clock.now -= 500
    assert counted.take(_bucket()) == Refused(0, 10.0)
    counted.clock.now += 10
    assert counted.take(_bucket()) == Taken((5,))


def test_a_slot_is_free_when_its_request_ends() -> None:
    counted = _Counted()
    slots = Slots("s", most=2)
    assert counted.take(slots, holder="a") == Taken((0,))
    assert counted.take(slots, holder="b") == Taken((1,))
    assert counted.take(slots, holder="c") == Refused(0, 0.0)
    counted.settle([slots], 0, holder="a")
    counted.settle([slots], 0, holder="a")
    counted.settle([slots], 0, holder="c")
    assert counted.take(slots, holder="d") == Taken((1,))
    assert counted.take(slots, holder="e") == Refused(0, 0.0)


def test_a_purse_counts_reservations_until_the_cost_replaces_them() -> None:
    counted = _Counted()
    assert counted.take(_purse(60), holder="a") == Taken((0,))
    assert counted.take(_purse(60)) == Refused(0, 1000.0)
    counted.settle([_purse(60)], 30, holder="a")
    counted.settle([_purse(60)], 30, holder="a")
    assert counted.spent("p") == 30
    assert counted.take(_purse(70)) == Taken((30,))
    assert counted.take(_purse(0)) == Taken((30,))
    assert counted.take(_purse(1)) == Refused(0, 1000.0)


def test_the_rest_of_a_purse_is_spent_one_request_at_a_time() -> None:
    counted = _Counted()
    assert counted.take(_purse(500), holder="a") == Taken((0,))
    assert counted.take(_purse(1)) == Refused(0, 1000.0)
    counted.settle([_purse(500)], 99, holder="a")
    assert counted.take(_purse(500), holder="b") == Taken((99,))
    counted.settle([_purse(500)], 300, holder="b")
    assert counted.take(_purse(1)) == Refused(0, 1000.0)


def test_a_purse_without_an_amount_only_counts() -> None:
    counted = _Counted()
    unbounded = _purse(60, amount=None)
    counted.take(unbounded, holder="a")
    counted.settle([unbounded], 500, holder="a")
    assert counted.take(unbounded) == Taken((500,))
    assert counted.spent("unknown") == 0


def test_of_several_refusals_the_longest_wait_counts_and_nothing_is_taken() -> None:
    counted = _Counted()
    counted.take(_bucket(units=6), _bucket(units=6, key="c", per_minute=2), Slots("s", 1), _purse(100))
    demands = (Slots("s", 1), _bucket(), _bucket(key="c", per_minute=2))
    assert counted.take(*demands) == Refused(2, 150.0)
    assert counted.take(*demands, _purse(1)) == Refused(3, 1000.0)
    assert counted.take(_bucket(key="free"), Slots("s", 1)) == Refused(1, 0.0)
    assert counted.take(_bucket(units=6, key="free")) == Taken((0,))


def test_what_is_no_longer_needed_is_forgotten() -> None:
    counted = _Counted()
    for number in range(1000):
        purse = Purse(f"p{number}", amount=None, reserve=0, ends_at=int(counted.clock.now))
        counted.take(_bucket(key=str(number)), purse, holder=str(number))
        counted.settle([_bucket(key=str(number)), purse], 1, 5, holder=str(number))
        counted.clock.now += KEPT_SECONDS / 100
    state = counted.counters._state
    assert len(state.levels) + len(state.accounts) < 1000
    assert counted.spent("p999") == 5
    assert counted.spent("p0") == 0


def test_a_reservation_is_kept_over_a_clock_that_jumps_ahead_and_back() -> None:
    counted = _Counted()
    purse = Purse("p", amount=10, reserve=6, ends_at=int(counted.clock.now) + 60)
    counted.take(purse, holder="a")
    counted.clock.now += 10 * KEPT_SECONDS
    for number in range(600):
        counted.take(Purse(f"p{number}", amount=None, reserve=0, ends_at=1))
    counted.clock.now -= 10 * KEPT_SECONDS
    assert isinstance(counted.take(purse), Refused)
    counted.settle([purse], 4, holder="a")
    assert counted.take(purse) == Taken((4,))


@given(
    amount=st.integers(0, 50),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20), st.integers(0, 20), st.booleans()), max_size=60),
)
def test_no_interleaving_overspends_by_more_than_one_reservation(
    amount: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    counted = _Counted()
    running: dict[str, Purse] = {}
    excess = spent = 0
    for number, reserve, cost, again in steps:
        holder = str(number)
        if holder in running:
            purse = running.pop(holder)
            counted.settle([purse], cost, holder=holder)
            if again:
                counted.settle([purse], cost, holder=holder)
            spent += cost
            excess += max(0, cost - purse.reserve)
        elif isinstance(counted.take(purse := _purse(reserve, amount), holder=holder), Taken):
            running[holder] = purse
        assert counted.spent("p") == spent
        largest = max((reserve for _, reserve, _, _ in steps), default=0)
        # Beyond that, only what costs exceed their reservations.
        assert spent + sum(each.reserve for each in running.values()) <= amount + max(0, largest - 1) + excess
