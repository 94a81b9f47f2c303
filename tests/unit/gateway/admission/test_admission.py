"""What admission makes of the demands of its parts: taken together, settled once, refused in their owner's words."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from tests.support.builders.calls import call

from claude_gateway_proxy.gateway.admission.admission import Admission, Charge, Usage, Watch
from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Purse, Slots, Substitute
from claude_gateway_proxy.gateway.admission.queue import Patience
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure, rate_limited

_ENDS = 2**40
_SLOT = Slots("s", most=1)


class _Demands:
    """A part that demands the same of every request."""

    def __init__(self, *charges: Charge | Watch) -> None:
        self._charges = charges

    def charges(self, _: Call) -> Sequence[Charge | Watch]:
        return self._charges


class _Away:
    """Counters that cannot be reached."""

    async def take(self, *_: object, **__: object) -> Taken | Refused:
        raise UnavailableError("nobody there")

    def settle(self, *_: object, **__: object) -> None:
        raise AssertionError("nothing was taken")

    async def read(self, *_: object) -> Mapping[str, int]:
        raise UnavailableError("nobody there")

    async def restore(self, *_: object) -> None:
        raise UnavailableError("nobody there")

    async def close(self) -> None:
        pass


def _used(units: int) -> Callable[[Usage], int]:
    return lambda _: units


def _charge(demand: Demand, *, actual: Callable[[Usage], int] | None = None, **more: object) -> Charge:
    values: dict[str, object] = {
        "refusal": lambda refused: rate_limited(f"{demand.key} is full", refused.retry_after),
        "actual": actual or _used(0),
        **more,
    }
    return Charge(demand=demand, **values)  # type: ignore[arg-type]


async def test_a_request_of_which_nothing_is_demanded_costs_nothing() -> None:
    admission = Admission([_Demands()])
    first, second = await admission.admit(call()), await admission.admit(call())
    assert first is second
    assert (first.headers, first.substitute) == ((), None)
    first.settle(Usage())


async def test_a_grant_is_settled_once_with_what_each_demand_says_was_used() -> None:
    counters = MemoryCounters()
    purse = Purse("p", amount=100, reserve=30, ends_at=_ENDS)
    seen: list[Usage] = []
    admission = Admission(
        [
            _Demands(_charge(_SLOT)),
            _Demands(_charge(purse, actual=lambda usage: usage.output_tokens), Watch(seen.append)),
        ],
        counters=counters,
        patience=Patience(seconds=0),
    )
    grant = await admission.admit(call())
    with pytest.raises(Failure, match="s is full"):
        await admission.admit(call())
    usage = Usage(output_tokens=30)
    grant.settle(usage)
    grant.settle(Usage(output_tokens=5))
    assert await counters.read(["p"]) == {"p": 30}
    assert seen == [usage]
    await admission.admit(call())


async def test_a_request_that_only_somebody_watches_is_heard_of_at_its_end() -> None:
    seen: list[Usage] = []
    grant = await Admission([_Demands(Watch(seen.append))]).admit(call())
    grant.settle(Usage(input_tokens=1))
    assert seen == [Usage(input_tokens=1)]


async def test_the_answer_says_what_counted_before_the_request() -> None:
    purse = Purse("p", amount=100, reserve=10, ends_at=_ENDS)
    charge = _charge(purse, actual=_used(40), headers=lambda spent: [(b"x-spent", b"%d" % spent)])
    admission = Admission([_Demands(charge)])
    grant = await admission.admit(call())
    assert grant.headers == ((b"x-spent", b"0"),)
    grant.settle(Usage())
    assert (await admission.admit(call())).headers == ((b"x-spent", b"40"),)


async def test_another_model_serves_where_a_purse_is_empty_and_its_cost_still_counts() -> None:
    counters = MemoryCounters()
    purse = Purse("p", amount=0, reserve=10, ends_at=_ENDS)
    overdrawn = Purse("p", amount=None, reserve=10, ends_at=_ENDS)
    charge = _charge(purse, actual=_used(7), substitute=Substitute("cheap", "ns"), overdrawn=overdrawn)
    grant = await Admission([_Demands(charge, _charge(_SLOT))], counters=counters).admit(call())
    assert grant.substitute == Substitute("cheap", "ns")
    grant.settle(Usage())
    assert await counters.read(["p"]) == {"p": 7}


async def test_what_refuses_beside_an_empty_purse_still_refuses() -> None:
    purse = Purse("p", amount=0, reserve=10, ends_at=_ENDS)
    other = Purse("q", amount=0, reserve=10, ends_at=_ENDS - 1)
    overdrawn = Purse("p", amount=None, reserve=10, ends_at=_ENDS)
    charges = _Demands(_charge(purse, substitute="cheap", overdrawn=overdrawn), _charge(other))
    with pytest.raises(Failure, match="q is full"):
        await Admission([charges]).admit(call())


@pytest.mark.parametrize("required", [True, False])
async def test_without_its_counters_a_process_counts_what_it_may_count_alone(required: bool) -> None:
    lease = Purse("p", amount=10, reserve=6, ends_at=_ENDS)
    charges = _Demands(
        _charge(Bucket("b", per_minute=1, burst=1), required=required),
        _charge(Purse("p", amount=1, reserve=6, ends_at=_ENDS), actual=_used(10), alone=lease),
    )
    admission = Admission([charges], counters=_Away())
    if required:
        with pytest.raises(Failure) as caught:
            await admission.admit(call())
        assert (caught.value.status, caught.value.code) == (503, "limits_unavailable")
        return
    grant = await admission.admit(call())
    grant.settle(Usage())
    with pytest.raises(Failure, match="p is full"):
        await admission.admit(call())
