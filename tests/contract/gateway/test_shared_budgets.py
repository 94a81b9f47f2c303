"""Budgets of several gateways: what a Valkey counts for all of them, while it is there, away, and after it forgot."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.contract.gateway.test_budgets import _ANSWER, _ASKED, _COST
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, gateway, upstream, whole
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway.contract.budget import Budget
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker


@pytest.fixture
def there() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@dataclass(frozen=True, slots=True)
class _Pod:
    gateway: Gateway
    tracker: SpendTracker
    work: tuple[asyncio.Task[None], ...]

    async def ask(self, **fields: object) -> int:
        async with await self.gateway.post("/v1/messages", {**_ASKED, **fields}) as response:
            await response.read()
            return response.status

    def die(self) -> None:
        """Do nothing any more of what a gateway does beside its requests."""
        for task in self.work:
            task.cancel()


def _budget(dollars: float) -> Budget:
    return Budget(name="ns/blue", amount=int(dollars * _COST), clients=("*",))


@contextlib.asynccontextmanager
async def _pods(
    server: ValkeyServer, *, budget: Budget, count: int = 2, reply: Reply | None = None
) -> AsyncIterator[list[_Pod]]:
    """Gateways that count in one Valkey, in front of an upstream whose answers cost a dollar."""
    async with contextlib.AsyncExitStack() as stack:
        up = await stack.enter_async_context(upstream(reply or whole(_ANSWER)))
        pods: list[_Pod] = []
        for _ in range(count):
            alone = MemoryCounters()
            store = ValkeyCounters(Server(server.address), prefix="ns/cg", changed=lambda _: None)
            tracker = SpendTracker(alone=alone, store=store)
            admission = Admission([Budgets(tracker)], counters=store, alone=alone)
            routes = [route("c", targets=[target(base_url=up.url, model="claude-opus-4-5")])]
            running = await stack.enter_async_context(gateway(*routes, admission=admission, budgets=[budget]))
            work = (asyncio.create_task(store.run()), asyncio.create_task(tracker.run()))
            pods.append(_Pod(running, tracker, work))
            stack.push_async_callback(store.close)
        try:
            yield pods
        finally:
            for pod in pods:
                pod.die()
                await asyncio.gather(*pod.work, return_exceptions=True)


async def _purse(server: ValkeyServer) -> dict[str, int]:
    async with Valkey(host="127.0.0.1", port=server.port, decode_responses=True) as client:
        names = [name for name in await client.keys("*budget:ns/blue:*") if not name.endswith(":held")]
        if not names:
            return {}
        found = await client.execute_command("HGETALL", names[0])  # type: ignore[no-untyped-call]
    return {name: int(value) for name, value in found.items()}


async def _until(server: ValkeyServer, holds: Callable[[dict[str, int]], bool]) -> None:
    async def ask() -> bool:
        with contextlib.suppress(OSError):
            return holds(await _purse(server))
        return False

    await until_async(ask, what="the purse")


async def test_many_streams_on_all_pods_are_counted_to_the_cent_and_overspend_by_one_at_most(
    there: ValkeyServer,
) -> None:
    cost, most = 500_010_000, 810_000_000
    usage = {"input_tokens": 2, "output_tokens": 20_000}
    answer = json.dumps({"type": "message", "model": "claude-opus-4-5", "usage": usage}).encode()
    async with _pods(there, budget=_budget(20), reply=whole(answer)) as pods:
        asked = [pods[number % 2].ask(max_tokens=32_000) for number in range(200)]
        served = (await asyncio.gather(*asked)).count(200)
        await _until(there, lambda purse: purse == {"reserved": 0, "spent": served * cost})
        while await pods[served % 2].ask(max_tokens=32_000) == 200:
            served += 1
        await _until(there, lambda purse: purse == {"reserved": 0, "spent": served * cost})
        assert 20 * _COST <= served * cost < 20 * _COST + most


async def test_what_all_pods_spent_is_what_each_reports(there: ValkeyServer) -> None:
    async with _pods(there, budget=_budget(20)) as pods:
        for pod in (*pods, *pods):
            assert await pod.ask() == 200

        async def ask() -> bool:
            return all(
                use.total == 4 * _COST and use.spent == 2 * _COST for pod in pods for use in pod.tracker.report()
            )

        await until_async(ask, what="the totals")


async def test_what_is_spent_while_valkey_is_away_is_counted_when_it_is_back(there: ValkeyServer) -> None:
    async with _pods(there, budget=_budget(3)) as pods:
        assert await pods[0].ask() == 200
        await _until(there, lambda purse: purse.get("spent") == _COST)
        there.pause()
        assert await pods[0].ask() == 200
        there.resume()
        await _until(there, lambda purse: purse == {"reserved": 0, "spent": 2 * _COST})


async def test_a_valkey_that_lost_its_memory_learns_again_what_was_spent(there: ValkeyServer) -> None:
    async with _pods(there, budget=_budget(2)) as pods:
        assert [await pods[number % 2].ask() for number in range(3)] == [200, 200, 429]

        async def known() -> bool:
            return all(use.total == 2 * _COST for pod in pods for use in pod.tracker.report())

        await until_async(known, what="the totals")
        there.stop()
        there.start()
        await _until(there, lambda purse: purse.get("spent") == 2 * _COST)

        async def blocks() -> bool:
            return await pods[0].ask() == 429

        await until_async(blocks, what="the budget to block again")


async def test_a_valkey_that_lost_its_memory_counts_what_was_known_and_all_that_came_since(there: ValkeyServer) -> None:
    async with _pods(there, budget=_budget(10_000)) as pods:
        assert [await pods[number % 2].ask() for number in range(2)] == [200] * 2

        async def known() -> bool:
            return all(use.total == 2 * _COST for pod in pods for use in pod.tracker.report())

        await until_async(known, what="the totals")
        there.stop()
        assert [await pods[number % 2].ask() for number in range(6)] == [200] * 6
        there.start()
        served = 8
        while not await _purse(there):
            served += [await pod.ask() for pod in pods].count(200)
        served += [await pods[number % 2].ask() for number in range(8)].count(200)
        await _until(there, lambda purse: purse == {"reserved": 0, "spent": served * _COST})


async def test_what_a_pod_that_died_had_reserved_counts_as_spent(
    there: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_gateway_proxy.gateway.admission.counters.scripts._SLOT_MILLISECONDS", "1000")
    hold = asyncio.Event()

    async def reply(seen: object, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        await whole(_ANSWER)(seen, writer)  # type: ignore[arg-type]

    async with _pods(there, budget=_budget(100), reply=reply) as pods:
        lost = asyncio.create_task(pods[0].ask(max_tokens=32_000))
        await _until(there, lambda purse: purse.get("reserved", 0) > 0)
        reserved = (await _purse(there))["reserved"]
        pods[0].die()
        hold.set()

        async def counted() -> bool:
            assert await pods[1].ask() == 200
            return (await _purse(there)).get("spent", 0) % _COST == reserved % _COST

        await until_async(counted, what="the reservation to count as spent")
        await lost
