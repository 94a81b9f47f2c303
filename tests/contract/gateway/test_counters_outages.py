"""Counters in a real Valkey: what happens when it is away or lost its memory, and when pods die."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from tests.support.processes.counting import ENDS, CountingPod, counting_pods, small_bucket
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway_proxy.gateway.admission.counters import scripts
from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.demand import Purse, Slots


@pytest.fixture(scope="module")
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture
def lonely() -> Iterator[ValkeyServer]:
    """One that the test may stop."""
    with valkey() as server:
        yield server


async def test_scripts_are_sent_again_to_a_valkey_that_lost_them(there: ValkeyServer) -> None:
    slots = Slots("s", 1)
    async with counting_pods(there) as (pod,):
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            await client.script_flush()
            await pod.take(slots, holder="a")
            await client.script_flush()
        await pod.settled([slots], 0, holder="a")
        assert await pod.take(slots) == Taken((0,))
        assert pod.changes == []


async def test_a_pod_without_cpu_does_not_take_valkey_for_lost(there: ValkeyServer) -> None:
    slots = Slots("busy", 10)
    async with counting_pods(there) as (pod,):
        for turns in range(6):
            taking = asyncio.create_task(pod.take(slots, holder=str(turns)))
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(1.1)  # noqa: ASYNC251 - the event loop stands still, longer than an answer is waited for
            assert isinstance(await taking, Taken)
        assert pod.changes == []


async def test_slots_of_a_pod_that_died_are_free_again(there: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "_SLOT_MILLISECONDS", "300")
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.valkey._RENEW_SECONDS", 0.0)
    slots = Slots("s", 2)
    async with counting_pods(there, 3) as (alive, dead, other):
        await alive.take(slots, holder="alive")
        await dead.take(slots, holder="dead")
        dead.work.cancel()
        assert await other.take(slots) == Refused(0, 0.0)
        keeping = asyncio.create_task(_every(0.05, alive))

        async def ask() -> bool:
            return isinstance(await other.take(slots), Taken)

        await until_async(ask, what="the slot of the dead pod")
        assert await other.take(slots) == Refused(0, 0.0)
        keeping.cancel()


async def test_reservations_of_a_pod_that_died_count_as_spent(
    there: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "_SLOT_MILLISECONDS", "300")
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.valkey._RENEW_SECONDS", 0.0)
    purse = Purse("p", amount=100, reserve=30, ends_at=ENDS)
    async with counting_pods(there, 3) as (alive, dead, other):
        await alive.take(purse, holder="alive")
        await dead.take(purse, holder="dead")
        dead.work.cancel()
        keeping = asyncio.create_task(_every(0.05, alive))

        async def ask() -> bool:
            await other.take(Purse("p", 0, 1, ENDS))
            return await other.spent("p") == 30

        await until_async(ask, what="the reservation of the dead pod to be spent")
        await alive.settled([purse], 5, holder="alive")
        assert await other.spent("p") == 35
        keeping.cancel()
        # It was not dead after all, and says what its request really cost.
        await other.settled([purse], 10, holder="dead")
        assert await other.spent("p") == 15
        assert await other.take(Purse("p", 100, 85, ENDS)) == Taken((15,))


async def test_what_was_spent_is_restored_in_a_valkey_that_lost_it(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=30, ends_at=ENDS)
    async with counting_pods(there, 2) as (one, other):
        for pod in (one, other):
            await pod.counters.restore([purse], [80])
        assert await one.take(purse) == Taken((80,)), "the rest is spent one request at a time"
        assert isinstance(await other.take(purse), Refused)
        await one.counters.restore([purse], [70])
        assert await one.spent("p") == 80
        async with Valkey(host="127.0.0.1", port=there.port) as client:
            assert await client.pttl("{claude-gateway:ns/cg}:p") > 0


async def test_a_purse_that_is_not_there_begins_with_what_a_pod_knows(there: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=15, ends_at=ENDS, known=80)
    async with counting_pods(there, 2) as (one, other):
        assert isinstance(await one.take(Purse("p", amount=100, reserve=15, ends_at=ENDS, known=100)), Refused)
        assert await one.take(purse, holder="a") == Taken((80,))
        await one.settled([purse], 5, holder="a")
        assert await other.take(Purse("p", amount=100, reserve=15, ends_at=ENDS, known=99)) == Taken((85,))
        assert await other.spent("p") == 85


async def _every(seconds: float, pod: CountingPod) -> None:
    while True:
        pod.counters._work.set()
        await asyncio.sleep(seconds)


async def test_a_take_that_is_cancelled_has_taken_nothing(there: ValkeyServer) -> None:
    slots = Slots("s", 3)
    async with counting_pods(there, 2) as (one, other):
        for turns in range(12):
            taking = asyncio.create_task(one.take(slots))
            for _ in range(turns):
                await asyncio.sleep(0)
            taking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await taking
                break

        async def ask() -> bool:
            return await other.take(slots, Slots("t", 0)) == Refused(1, 0.0)

        async def empty() -> bool:
            async with Valkey(host="127.0.0.1", port=there.port) as client:
                return int(await client.zcard("{claude-gateway:ns/cg}:s")) == 0

        if taking.cancelled():
            await until_async(empty, what="the slots to be given back")


async def test_a_take_that_comes_after_it_was_given_up_takes_nothing(there: ValkeyServer) -> None:
    slots = Slots("s", 1)
    async with counting_pods(there) as (pod,):
        for _ in range(3):
            await pod.settled([slots], 0, holder="late")
        assert await pod.take(slots, holder="late") == Refused(0, 0.0)
        assert await pod.take(slots) == Taken((0,))


async def test_while_valkey_is_away_nothing_is_taken_and_afterwards_everything_again(lonely: ValkeyServer) -> None:
    async with counting_pods(lonely) as (pod,):
        assert await pod.take(small_bucket()) == Taken((0,))
        lonely.stop()
        with pytest.raises(UnavailableError):
            await pod.take(small_bucket())
        with pytest.raises(UnavailableError, match="a moment ago"):
            await pod.take(small_bucket())
        lonely.start()

        async def ask() -> bool:
            return pod.counters.available

        await until_async(ask, what="Valkey to be found again")
        assert await pod.take(small_bucket()) == Taken((0,))
    assert len(pod.changes) == 2
    assert pod.changes[0] is not None
    assert pod.changes[1] is None


async def test_settlements_wait_until_valkey_answers_again(lonely: ValkeyServer) -> None:
    purse = Purse("p", amount=100, reserve=60, ends_at=ENDS)
    async with counting_pods(lonely, 2) as (one, other):
        await one.take(purse, holder="a")
        lonely.pause()
        one.counters.settle([purse], [25], holder="a")
        with pytest.raises(UnavailableError):
            await one.take(purse)
        lonely.resume()
        await one.sent()

        async def ask() -> bool:
            with contextlib.suppress(UnavailableError):
                return await other.spent("p") == 25
            return False

        await until_async(ask, what="the settlement")
        assert isinstance(await other.take(purse), Taken)


async def test_a_valkey_that_only_reads_counts_as_away(lonely: ValkeyServer) -> None:
    async with counting_pods(lonely) as (pod,):
        async with Valkey(host="127.0.0.1", port=lonely.port) as client:
            await client.config_set("maxmemory", 1)
        with pytest.raises(UnavailableError):
            await pod.take(small_bucket())
        assert not pod.counters.available
