"""A cloud's credential is fetched once for all who wait, renewed before its end, and not fetched without need."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.processes.waiting import until_async

from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lease, Renewed, threaded


class Source:
    """Leases of 60 fresh and 300 usable seconds, under a clock of ours; ``fails`` refuses them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.fetched = 0
        self.fails = False
        self.open = threading.Event()
        self.open.set()

    def fetch(self) -> Lease[int]:
        """The next number."""
        self.open.wait()
        self.fetched += 1
        if self.fails:
            raise IdentityError("no")
        return Lease(self.fetched, fresh=60, usable=300)


def renewed(source: Source, executor: ThreadPoolExecutor) -> Renewed[int]:
    """What is tested."""
    return Renewed(threaded(source.fetch, executor), clock=lambda: source.now)


async def test_many_who_wait_ask_once() -> None:
    source = Source()
    source.open.clear()
    with ThreadPoolExecutor() as executor:
        held = renewed(source, executor)
        waiting = [asyncio.create_task(held.get()) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        source.open.set()
        assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]
        assert (await held.get(), source.fetched) == (1, 1)


async def test_it_is_renewed_while_the_old_one_serves() -> None:
    source = Source()
    with ThreadPoolExecutor() as executor:
        held = renewed(source, executor)
        await held.get()
        source.now += 100
        assert await held.get() == 1

        async def new() -> bool:
            return await held.get() == 2

        await until_async(new, what="the new one")
        source.now += 400
        assert await held.get() == 3


async def test_a_failure_is_ridden_out_and_then_told() -> None:
    source = Source()
    with ThreadPoolExecutor() as executor:
        held = renewed(source, executor)
        await held.get()
        source.fails = True
        source.now += 100
        assert await held.get() == 1

        async def tried() -> bool:
            return source.fetched == 2

        await until_async(tried, what="a renewal")
        assert await held.get() == 1
        source.now += 400
        with pytest.raises(IdentityError):
            await held.get()
        asked = source.fetched
        with pytest.raises(IdentityError):
            await held.get()
        assert source.fetched == asked
        source.now += 10
        source.fails = False
        assert await held.get() > 1
