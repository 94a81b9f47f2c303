"""The order in which requests that wait for limits are admitted, and which ones may not wait."""

import asyncio
from collections.abc import Sequence

import pytest

from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Purse, Slots
from claude_gateway_proxy.gateway.admission.queue import Patience, Queue

_ROUTE = Slots("route", most=1)


class _Counters(MemoryCounters):
    """Counters that also count how often they are asked."""

    asked = 0

    async def take(self, demands: Sequence[Demand], *, holder: str) -> Taken | Refused:
        self.asked += 1
        return await super().take(demands, holder=holder)


class _Turns:
    """A queue for slots, and the names of the requests in the order in which they were let in."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.counters = _Counters()
        self.queue = Queue(self.counters, patience or Patience(seconds=60))
        self.order: list[str] = []
        self.waits: list[float] = []
        self.tasks: dict[str, asyncio.Task[Taken | Refused]] = {}

    async def ask(self, name: str, *demands: Demand, batch: bool = False) -> None:
        """Begin a request named ``client-number``, and run until it waits or was let in."""
        self.tasks[name] = asyncio.create_task(self._take(name, demands or (_ROUTE,), batch=batch))
        await _settled()

    async def _take(self, name: str, demands: Sequence[Demand], *, batch: bool) -> Taken | Refused:
        client = name.partition("-")[0]
        result = await self.queue.take(demands, holder=name, client=client, batch=batch, waited=self.waits.append)
        if isinstance(result, Taken):
            self.order.append(name)
        return result

    async def end(self, *demands: Demand) -> None:
        """End the request that was let in last."""
        taken = demands or (_ROUTE,)
        self.queue.settle(taken, [0] * len(taken), holder=self.order[-1])
        await _settled()

    async def drain(self) -> list[str]:
        """End one request after the other, and return the order."""
        for _ in self.tasks:
            await self.end()
        return self.order


async def _settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


async def test_one_clients_flood_delays_another_by_one_request() -> None:
    turns = _Turns()
    for number in range(50):
        await turns.ask(f"flood-{number}")
    await turns.ask("other-0")
    await turns.ask("other-1")
    order = await turns.drain()
    assert order[:5] == ["flood-0", "flood-1", "other-0", "flood-2", "other-1"]
    assert len(order) == 52
    assert [name for name in order if name.startswith("flood")] == [f"flood-{number}" for number in range(50)]


async def test_interactive_requests_come_before_batch() -> None:
    turns = _Turns()
    await turns.ask("job-0", batch=True)
    await turns.ask("job-1", batch=True)
    await turns.ask("job-2", batch=True)
    await turns.ask("alice-0")
    await turns.ask("bob-0")
    assert await turns.drain() == ["job-0", "alice-0", "bob-0", "job-1", "job-2"]


async def test_who_leaves_has_taken_nothing_and_is_in_nobodys_way() -> None:
    turns = _Turns()
    for name in ("a-0", "a-1", "b-0", "c-0"):
        await turns.ask(name)
    turns.tasks["a-1"].cancel()
    turns.tasks["b-0"].cancel()
    await _settled()
    await turns.end()
    assert turns.order == ["a-0", "c-0"]
    await turns.end()
    assert len(turns.queue) == 0
    await turns.ask("d-0")
    assert turns.order == ["a-0", "c-0", "d-0"]


async def test_nobody_passes_those_who_wait() -> None:
    turns = _Turns()
    await turns.ask("a-0")
    await turns.ask("b-0")
    turns.counters.settle([_ROUTE], [0], holder="a-0")  # a slot that is free, as another process would free it
    await turns.ask("c-0")
    turns.queue.settle([_ROUTE], [0], holder="")
    await _settled()
    assert turns.order == ["a-0", "b-0"]


async def test_a_request_waits_for_one_limit_after_the_other() -> None:
    turns = _Turns()
    own = Slots("client", most=1)
    await turns.ask("x-0")
    await turns.ask("y-0", own)
    await turns.ask("y-1", own, _ROUTE)
    await turns.ask("z-0")
    turns.queue.settle([own], [0], holder="y-0")
    await _settled()
    assert turns.order == ["x-0", "y-0"]
    turns.queue.settle([_ROUTE], [0], holder="x-0")
    await _settled()
    assert turns.order == ["x-0", "y-0", "z-0"]
    turns.queue.settle([_ROUTE], [0], holder="z-0")
    await _settled()
    assert turns.order == ["x-0", "y-0", "z-0", "y-1"]


async def test_two_full_limits_let_nobody_spin() -> None:
    turns = _Turns()
    slow, slower = Bucket("a", per_minute=600, burst=1), Bucket("b", per_minute=600, burst=1)
    await turns.ask("w-0", slow, slower, batch=True)
    await turns.ask("w-1", slower, batch=True)
    await turns.ask("w-2", slow, batch=True)
    await turns.ask("x-0", slow, slower)
    results = await asyncio.wait_for(asyncio.gather(*turns.tasks.values()), timeout=30)
    assert all(isinstance(each, Taken) for each in results)
    assert turns.counters.asked < 30


async def test_as_many_wait_as_may() -> None:
    turns = _Turns(Patience(seconds=60, requests=2))
    for name in ("a-0", "a-1", "a-2", "a-3", "b-0"):
        await turns.ask(name)
    assert turns.tasks["a-3"].result() == Refused(0, 0.0)
    assert not turns.tasks["b-0"].done()
    assert len(turns.queue) == 3


async def test_what_would_wait_too_long_is_refused_at_once_with_those_before_it_counted() -> None:
    turns = _Turns(Patience(seconds=25))
    bucket = Bucket("b", per_minute=6, burst=1)
    for number in range(5):
        await turns.ask(f"a-{number}", bucket)
    refused = [turns.tasks[f"a-{number}"].result() for number in (3, 4)]
    assert all(isinstance(each, Refused) and 29 < each.retry_after <= 30 for each in refused)
    assert not turns.tasks["a-1"].done()
    assert not turns.tasks["a-2"].done()
    await turns.ask("job-0", bucket, batch=True)
    assert 29 < _retry_after(turns.tasks["job-0"]) <= 30
    await turns.ask("b-0", bucket)
    assert not turns.tasks["b-0"].done()  # after one of the two, so after 20 s


def _retry_after(task: asyncio.Task[Taken | Refused]) -> float:
    result = task.result()
    assert isinstance(result, Refused)
    return result.retry_after


async def test_patience_ends() -> None:
    turns = _Turns(Patience(seconds=0.05))
    await turns.ask("a-0")
    await turns.ask("b-0")
    await turns.ask("c-0")
    assert await turns.tasks["b-0"] == await turns.tasks["c-0"] == Refused(0, 0.0)
    assert len(turns.waits) == 2
    assert len(turns.queue) == 0


async def test_a_bucket_lets_the_next_in_when_it_has_drained() -> None:
    turns = _Turns()
    bucket = Bucket("b", per_minute=6000, burst=1)
    for number in range(4):
        await turns.ask(f"a-{number}", bucket)
    await asyncio.gather(*turns.tasks.values())
    assert turns.order == ["a-0", "a-1", "a-2", "a-3"]
    assert len(turns.waits) == 3


@pytest.mark.parametrize("demand", [Purse("p", amount=0, reserve=6, ends_at=2**40), Slots("s", most=0, waits=False)])
async def test_nobody_waits_for_what_does_not_wait(demand: Demand) -> None:
    turns = _Turns()
    await turns.ask("a-0", demand)
    assert isinstance(turns.tasks["a-0"].result(), Refused)
    assert turns.waits == []
