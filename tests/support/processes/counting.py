"""The counters of pods that share a Valkey."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from tests.support.processes.valkey import ValkeyServer
from tests.support.processes.waiting import until_async
from valkey.asyncio import Valkey

from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand

ENDS = 2**33
"""The end of every purse, in Unix seconds: far away."""


class CountingPod:
    """The counters of one pod, and what it said about Valkey."""

    def __init__(self, server: Server, prefix: str) -> None:
        self.changes: list[str | None] = []
        self.counters = ValkeyCounters(server, prefix=prefix, changed=self.changes.append)
        self._numbers = iter(range(10**6))
        self.work = asyncio.create_task(self.counters.run())

    async def connected(self) -> None:
        """Wait for the first connection, which may take longer on a busy machine than a request waits for Valkey."""

        async def ask() -> bool:
            with contextlib.suppress(UnavailableError):
                return bool(await self.counters.read(["connected"]))
            return False

        await until_async(ask, what="a connection to Valkey")

    async def take(self, *demands: Demand, holder: str = "") -> Taken | Refused:
        """Take the demands, for a new holder unless one is named."""
        return await self.counters.take(demands, holder=holder or f"{id(self)}-{next(self._numbers)}")

    async def settled(self, demands: Sequence[Demand], *actual: int, holder: str) -> None:
        """Settle, and wait until Valkey has heard of it."""
        self.counters.settle(demands, actual, holder=holder)
        await self.sent()

    async def sent(self) -> None:
        """Wait until Valkey has heard of every settlement."""

        async def ask() -> bool:
            return not self.counters._settlements

        await until_async(ask, what="the settlements to be sent")
        await self.counters.read(["after the last settlement"])

    async def spent(self, key: str) -> int:
        """Return what is spent of a purse."""
        return (await self.counters.read([key]))[key]

    async def end(self) -> None:
        """End the pod's work, and its connections."""
        self.work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.work
        await self.counters.close()


@contextlib.asynccontextmanager
async def counting_pods(
    server: ValkeyServer, count: int = 1, *, prefix: str = "", **more: object
) -> AsyncIterator[list[CountingPod]]:
    """Empty the Valkey, and run so many pods of one release; ``more`` are fields of its Server."""
    async with Valkey(host="127.0.0.1", port=server.port) as client:
        await client.flushall()
    made = [CountingPod(Server(server.address, **more), prefix or "ns/cg") for _ in range(count)]  # type: ignore[arg-type]
    try:
        for pod in made:
            await pod.connected()
        yield made
    finally:
        for pod in made:
            await pod.end()


def small_bucket(units: int = 1, per_minute: int = 6, key: str = "b") -> Bucket:
    """Return a demand of some units of a bucket that is full after a few."""
    return Bucket(key, per_minute, burst=per_minute, units=units)
