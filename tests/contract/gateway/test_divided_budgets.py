"""Budgets that the operator divides between gateways: with a Valkey that goes away, and with a clock that jumps."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.gateway.test_budgets import _ANSWER, _ASKED, _COST
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, gateway, upstream, whole
from tests.support.processes.valkey import ValkeyServer, valkey
from tests.support.processes.waiting import until_async

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway.contract.budget import Budget, Spending
from claude_gateway.contract.report import ProcessReport
from claude_gateway.plan.budgets.division import PodUse, divide, pod_use
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker

_AHEAD = 40 * 86_400
"""Seconds that take a clock into another month, however the calendar stands."""


@dataclass(slots=True)
class _Pod:
    gateway: Gateway
    tracker: SpendTracker
    folder: Path
    work: list[asyncio.Task[None]]

    async def ask(self) -> int:
        async with await self.gateway.post("/v1/messages", _ASKED) as response:
            await response.read()
            return response.status

    async def spend(self, most: int = 100) -> int:
        """Ask until it is refused; return how many answers there were."""
        for number in range(most):
            if await self.ask() != 200:
                return number
        return most


@dataclass(slots=True)
class _Office:
    """The operator's part: it hears the pods and divides, by a clock that may be wrong."""

    budget: Budget
    pods: dict[str, _Pod] = field(default_factory=dict)
    last: dict[str, PodUse] = field(default_factory=dict)
    written: Allotments = field(default_factory=Allotments)
    spending: Spending | None = None
    ahead: int = 0

    async def divide(self) -> None:
        """Hear every pod, divide, and wait until each pod has its part."""
        for name, pod in self.pods.items():
            self.last[name] = pod_use(name, ProcessReport(budgets=pod.tracker.report()))
        gone = [PodUse(name, use.uses, there=False) for name, use in self.last.items() if name not in self.pods]
        uses = [self.last[name] for name in self.pods] + gone
        found = divide([self.budget], uses, self.written, now=time.time() + self.ahead, known={})
        self.written, self.spending = found.allotments, found.spending[self.budget.name]
        self.last = {name: use for name, use in self.last.items() if name in self.pods}
        for name, pod in self.pods.items():
            scratch = pod.folder / "new"
            scratch.write_bytes(self.written.of(name).model_dump_json(by_alias=True).encode())
            scratch.rename(pod.folder / ALLOTMENT_JSON)
            # Beside its other work, which the gateway does four times in a second.
            pod.tracker._follow()

    async def kill(self, name: str) -> None:
        """End a pod without a word."""
        for task in self.pods[name].work:
            task.cancel()
        await asyncio.gather(*self.pods.pop(name).work, return_exceptions=True)


@contextlib.asynccontextmanager
async def _office(folder: Path, *, dollars: int, server: ValkeyServer | None = None) -> AsyncIterator[_Office]:
    """Two gateways in front of an upstream whose answers cost a dollar, and the division between them."""
    office = _Office(Budget(name="ns/blue", amount=dollars * _COST, clients=("*",)))
    async with contextlib.AsyncExitStack() as stack:
        up = await stack.enter_async_context(upstream(whole(_ANSWER)))
        for name in ("a", "b"):
            alone = MemoryCounters()
            store = None
            if server is not None:
                store = ValkeyCounters(Server(server.address), prefix="ns/cg", changed=lambda _: None)
            (folder / name).mkdir()
            tracker = SpendTracker(alone=alone, store=store, shares=Shares(folder / name))
            admission = Admission([Budgets(tracker)], counters=store, alone=alone)
            routes = [route("c", targets=[target(base_url=up.url, model="claude-opus-4-5")])]
            running = await stack.enter_async_context(gateway(*routes, admission=admission, budgets=[office.budget]))
            work = [asyncio.create_task(tracker.run())]
            if store is not None:
                work.append(asyncio.create_task(store.run()))
                stack.push_async_callback(store.close)
            office.pods[name] = _Pod(running, tracker, folder / name, work)
        try:
            yield office
        finally:
            for name in list(office.pods):
                await office.kill(name)


async def test_a_pod_that_is_killed_while_valkey_is_away_costs_its_lease_and_no_more(tmp_path: Path) -> None:
    with valkey() as there:
        async with _office(tmp_path, dollars=40, server=there) as office:
            await office.divide()
            first, second = office.pods["a"], office.pods["b"]
            assert [await first.ask(), await second.ask()] == [200, 200]

            async def counted() -> bool:
                return all(pod.tracker.report()[0].total == 2 * _COST for pod in (first, second))

            await until_async(counted, what="the totals")
            await office.divide()
            lease = list(office.written.leases["a"]["ns/blue"].values())
            there.pause()
            alone = await first.spend()
            assert 0 < alone <= lease[0] // _COST + 1, "no more than its lease"
            await office.divide()
            await office.kill("a")
            await office.divide()
            there.resume()
            assert office.spending is not None
            assert office.spending.spent > (1 + alone) * _COST, "the lease of a pod that owed something is spent"
            served = 2 + alone

            async def back() -> bool:
                return isinstance(second.tracker.store, ValkeyCounters) and second.tracker.store.available

            await until_async(back, what="Valkey")
            served += await second.spend()
            # An answer may cost more than its pod had left, so that each of them spends a part of one more.
            assert served < 42, "all pods together"
            assert served >= 40 - lease[0] // _COST, "what is lost is the lease at most"


@pytest.mark.parametrize("seconds", [_AHEAD, -_AHEAD])
async def test_a_clock_of_the_operator_that_jumps_and_comes_back_gives_no_money_out_twice(
    tmp_path: Path, seconds: int
) -> None:
    async with _office(tmp_path, dollars=40) as office:
        await office.divide()
        first, second = office.pods["a"], office.pods["b"]
        served = await first.spend(5) + await second.spend(5)
        await office.divide()
        office.ahead = seconds
        await office.divide()
        served += await first.spend()
        await office.kill("a")
        await office.divide()
        # The pod that is left gets money of its own time while the clock is wrong, and none of the other's.
        for _ in range(4):
            served += await second.spend()
            await office.divide()
        office.ahead = 0
        for _ in range(6):
            await office.divide()
            served += await second.spend()
        assert office.spending is not None
        # An answer may cost more than its pod had left, so that each of them spends a part of one more.
        assert office.spending.spent > (served - 2) * _COST
        assert 10 < served < 42
