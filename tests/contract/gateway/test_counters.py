"""Counters in a real Valkey: what several pods take together."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.processes.counting import ENDS, CountingPod, counting_pods, small_bucket
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Refused, Taken
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Purse, Slots


@pytest.fixture(scope="module")
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


async def test_pods_take_from_one_bucket(there: ValkeyServer) -> None:
    async with counting_pods(there, 2) as (one, other):
        results = [await pod.take(small_bucket()) for pod in (one, other) * 4]
    assert results[:6] == [Taken((number,)) for number in range(6)]
    assert all(isinstance(each, Refused) and 9 < each.retry_after <= 10 for each in results[6:])


async def test_a_slot_of_another_pod_is_free_when_its_request_ends(there: ValkeyServer) -> None:
    slots = Slots("s", most=1)
    async with counting_pods(there, 2) as (one, other):
        assert await one.take(slots, holder="a") == Taken((0,))
        assert await other.take(slots) == Refused(0, 0.0)
        await one.settled([slots], 0, holder="a")
        assert await other.take(slots, holder="b") == Taken((0,))
        await one.settled([slots], 0, holder="a")
        assert await one.take(slots) == Refused(0, 0.0)


async def test_a_purse_counts_what_all_pods_reserved_and_spent(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=ENDS)
    async with counting_pods(there, 2) as (one, other):
        assert await one.take(purse, holder="a") == Taken((0,))
        refused = await other.take(purse)
        assert isinstance(refused, Refused)
        assert refused.retry_after > 10**6
        await one.settled([purse], 25, holder="a")
        await one.settled([purse], 25, holder="a")
        assert await other.spent("p") == 25
        assert await other.take(purse) == Taken((25,))
        unbounded = Purse("p", amount=None, reserve=10**15, ends_at=ENDS)
        assert await other.take(unbounded, holder="b") == Taken((25,))
        await other.settled([unbounded], 8 * 10**15, holder="b")
        assert await one.spent("p") == 8 * 10**15 + 25


async def test_the_rest_of_a_purse_is_spent_one_request_at_a_time(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=ENDS)
    async with counting_pods(there, 2) as (one, other):
        await one.take(purse, holder="a")
        await one.settled([purse], 99, holder="a")
        assert await other.take(purse, holder="b") == Taken((99,))
        assert isinstance(await one.take(Purse("p", amount=100, reserve=1, ends_at=ENDS)), Refused)
        await other.settled([purse], 60, holder="b")
        assert isinstance(await one.take(purse), Refused)


async def test_what_must_fit_as_a_whole_is_not_let_through_alone(there: ValkeyServer) -> None:
    async with counting_pods(there, 1) as (one,):
        for reserve, taken in ((101, False), (60, True), (41, False), (40, True), (1, False)):
            purse = Purse("p", amount=100, reserve=reserve, ends_at=ENDS, whole=True)
            assert isinstance(await one.take(purse), Taken) is taken, reserve


async def test_what_is_refused_takes_nothing(there: ValkeyServer) -> None:
    async with counting_pods(there) as (pod,):
        demands = (small_bucket(), Slots("s", 1), Purse("p", amount=0, reserve=6, ends_at=ENDS))
        refused = await pod.take(*demands)
        assert isinstance(refused, Refused)
        assert refused.index == 2
        assert await pod.take(*demands[:2]) == Taken((0, 0))


async def test_a_burst_is_counted_exactly_on_the_connection_that_is_open(there: ValkeyServer) -> None:
    async def connections() -> int:
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            return int((await client.info("stats"))["total_connections_received"])

    slots = Slots("burst", most=100)
    async with counting_pods(there) as (pod,):
        await until_async(lambda: pod.take(slots, holder="first"), what="a connection")
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            # A script that is forgotten is sent again, for each call of the burst that missed it.
            await client.script_flush()
        before = await connections()
        found = await asyncio.gather(*(pod.take(slots, holder=f"burst-{number}") for number in range(300)))
        assert [each for each in found if isinstance(each, Taken)] == [Taken((held,)) for held in range(1, 100)]
        assert await connections() - before <= 2


async def test_releases_that_share_a_valkey_do_not_share_counters(there: ValkeyServer) -> None:
    async with counting_pods(there) as (one,):
        other = CountingPod(Server(there.address), "ns/other")
        assert await one.take(Slots("s", 1)) == Taken((0,))
        assert await other.take(Slots("s", 1)) == Taken((0,))
        await other.end()
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            keys = await client.keys("*")
            ages = [await client.pttl(key) for key in keys]
    assert {key[: key.index(b"}") + 1] for key in keys} == {b"{claude-gateway:ns/cg}", b"{claude-gateway:ns/other}"}
    assert all(age > 0 for age in ages)


async def test_every_key_expires_whatever_happens_to_its_request(there: ValkeyServer) -> None:
    demands = (small_bucket(), Slots("s", 5), Purse("p", amount=5, reserve=1, ends_at=ENDS))
    async with counting_pods(there) as (pod,):
        await pod.take(*demands, holder="a")
        await pod.take(*demands, holder="b")
        await pod.settled(demands, 1, 0, 1, holder="a")
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            ages = {key: await client.pttl(key) for key in await client.keys("*")}
    assert len(ages) >= 4
    assert all(age > 0 for age in ages.values())


async def test_a_clock_that_goes_back_stops_nothing(there: ValkeyServer) -> None:
    """As after a failover to a server whose clock is behind."""
    bucket, slots, purse = small_bucket(per_minute=6000), Slots("s", 1), Purse("p", 5, 1, ends_at=ENDS)
    async with counting_pods(there) as (pod,), Valkey(host="127.0.0.1", port=there.port) as client:
        name, untyped = pod.counters._calls.key, cast("Any", client)
        await pod.take(small_bucket(6000, 6000), slots, purse, holder="dead")
        ahead = 86_400_000 + int(await untyped.hget(name("b"), "at"))
        await untyped.hset(name("b"), "at", str(ahead))
        for held, holder in ((name("s"), "dead"), (name("p:held"), "dead 1")):
            await client.zadd(held, {holder: ahead})

        async def taken() -> bool:
            return isinstance(await pod.take(bucket), Taken)

        await until_async(taken, what="the bucket to drain")
        assert isinstance(await pod.take(slots, purse), Refused)
        assert await client.zscore(name("s"), "dead") < ahead - 86_300_000
        assert await client.zscore(name("p:held"), "dead 1") < ahead - 86_300_000


async def test_many_pods_at_once_never_take_too_much(there: ValkeyServer) -> None:
    slots, bucket = Slots("s", most=7), small_bucket(per_minute=40)
    purse = Purse("p", amount=1000, reserve=30, ends_at=ENDS)
    running = most = taken = 0

    async def request(pod: CountingPod, holder: str) -> None:
        nonlocal running, most, taken
        if not isinstance(await pod.take(slots, bucket, purse, holder=holder), Taken):
            return
        taken += 1
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        pod.counters.settle([slots, bucket, purse], [0, 1, 20], holder=holder)

    async with counting_pods(there, 4) as pods:
        await asyncio.gather(*(request(pods[number % 4], f"h{number}") for number in range(300)))
        for pod in pods:
            await pod.sent()
        spent = await pods[0].spent("p")
    assert most <= 7
    assert 7 <= taken <= 40
    assert spent == 20 * taken


_KEYS = ("x", "y")
_DEMANDS = st.one_of(
    st.builds(
        lambda key, most, units: Bucket(f"b{key}{most}", most, burst=most, units=units),
        st.sampled_from(_KEYS),
        st.integers(1, 4),
        st.integers(0, 6),
    ),
    st.builds(lambda key, most: Slots(f"s{key}{most}", most), st.sampled_from(_KEYS), st.integers(1, 3)),
    st.builds(
        lambda key, amount, reserve, whole: Purse(f"p{key}", amount, reserve, ends_at=ENDS, whole=whole),
        st.sampled_from(_KEYS),
        st.one_of(st.none(), st.integers(0, 20)),
        st.integers(0, 9),
        st.booleans(),
    ),
)
_STEPS = st.lists(
    st.tuples(
        st.lists(_DEMANDS, min_size=1, max_size=3, unique_by=lambda each: each.key),
        st.integers(0, 9),
        st.integers(0, 8),
    ),
    max_size=25,
)


async def _outcomes(counters: Counters, steps: Sequence[tuple[list[Demand], int, int]]) -> list[object]:
    """Take and settle as the steps say, and return all answers without the waits."""
    found: list[object] = []
    running: dict[str, list[Demand]] = {}
    for number, (demands, ends, used) in enumerate(steps):
        if (holder := str(ends)) in running:
            done = running.pop(holder)
            for _ in range(2):
                counters.settle(done, [used] * len(done), holder=holder)
            if isinstance(counters, ValkeyCounters):
                await counters._flush()
        result = await counters.take(demands, holder=str(number))
        if isinstance(result, Taken):
            running[str(number)] = demands
            found.append(result)
        else:
            # Which of several waits is the longest may depend on a millisecond.
            found.append("refused")
    found.append(await counters.read(["px", "py"]))
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=_STEPS)
def test_memory_and_valkey_agree(there: ValkeyServer, steps: list[tuple[list[Demand], int, int]]) -> None:
    async def both() -> tuple[list[object], list[object]]:
        async with counting_pods(there) as (pod,):
            pod.work.cancel()
            return await _outcomes(MemoryCounters(), steps), await _outcomes(pod.counters, steps)

    memory, shared = asyncio.run(both())
    assert memory == shared
