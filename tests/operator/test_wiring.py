"""Which events ring, what Kopf never does to users' objects, how it tells that it lives, how it ends."""

import asyncio

import aiohttp
import kmock as km
from tests.operator.conftest import NAMESPACE, OLDEST, Wired, running
from tests.support.processes.waiting import until_async

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import API_VERSION
from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_operator.loop import Loop


async def rung(wired: Wired, times: int) -> None:
    async def enough() -> bool:
        return wired.rings >= times

    await until_async(enough, what=f"ring {times}")


async def test_each_kind_rings_when_it_comes_changes_and_goes(wired: Wired) -> None:
    async with running(wired):
        await wired.watching()
        for number, kind in enumerate(KINDS):
            await wired.put(f"a-{kind.plural}", kind=kind.plural)
            await rung(wired, number + 1)
        before = wired.rings
        await wired.put("a-modelroutes", 2)
        await rung(wired, before + 1)
        await wired.drop("a-modelroutes")
        await rung(wired, before + 2)
        assert wired.rings == before + 2


async def test_what_is_there_at_the_start_rings(wired: Wired) -> None:
    await wired.put("old")
    async with running(wired):
        await rung(wired, 1)


async def test_a_status_does_not_ring(wired: Wired) -> None:
    async with running(wired):
        await wired.watching()
        await wired.put("a")
        await rung(wired, 1)
        for number in range(5):
            await wired.put("a", status={"conditions": [{"type": "Accepted", "message": str(number)}]})
        await wired.put("b")
        await rung(wired, 2)
        assert wired.rings == 2


async def test_objects_are_never_written(wired: Wired) -> None:
    async with running(wired):
        await wired.watching()
        await wired.put("a")
        await rung(wired, 1)
    # The test's own attempt to change it, and its creation; nothing else.
    assert [len(list(wired.server[method])) for method in ("patch", "post", "put", "delete")] == [1, 1, 0, 0]
    (stored,) = [obj for (_, _, name), obj in wired.server.objects.items() if name == "a"]
    metadata = stored.raw["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata


async def test_a_burst_causes_few_reconciliations(wired: Wired) -> None:
    bell = Doorbell()
    wired.on_ring.append(bell.ring)
    reconciliations = 0

    async def reconcile() -> None:
        nonlocal reconciliations
        reconciliations += 1

    loop = Loop(reconcile, bell=bell, resync=1000.0, failed=lambda: None)
    task = asyncio.create_task(loop.run())
    async with running(wired):
        await wired.watching()
        await asyncio.gather(*(wired.put(f"r{number}") for number in range(200)))
        await rung(wired, 200)
        at_most = bell.rings

    async def answered() -> bool:
        return reconciliations >= 2

    await until_async(answered)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert reconciliations <= at_most / 4


async def test_it_reconciles_once_even_without_any_object(wired: Wired) -> None:
    reconciled = asyncio.Event()

    async def reconcile() -> None:
        reconciled.set()

    loop = Loop(reconcile, bell=Doorbell(), resync=1000.0, failed=lambda: None)
    task = asyncio.create_task(loop.run())
    async with running(wired):
        await wired.watching()
        await reconciled.wait()
        assert wired.rings == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_health_is_the_age_of_the_last_reconciliation(wired: Wired) -> None:
    async with running(wired), aiohttp.ClientSession() as session:

        async def listens() -> bool:
            try:
                async with session.get(wired.health) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until_async(listens)


async def test_health_fails_if_the_last_reconciliation_is_too_old(wired: Wired) -> None:
    wired.age = OLDEST + 1
    async with running(wired), aiohttp.ClientSession() as session:

        async def fails() -> bool:
            try:
                async with session.get(wired.health) as answer:
                    return answer.status == 500
            except aiohttp.ClientError:
                return False

        await until_async(fails)


async def test_a_namespace_without_rights_stops_no_other(wired: Wired) -> None:
    for kind in KINDS:
        wired.server["get", f"/apis/{API_VERSION}/namespaces/closed/{kind.plural}"] << 403
    async with running(wired, "closed", NAMESPACE):
        await wired.put("a")
        await rung(wired, 1)
        refused = [r for r in wired.server[km.method.GET] if "/closed/" in str(r.url)]
        assert refused


async def test_everything_beside_it_is_ended_first(wired: Wired) -> None:
    async with running(wired):
        await wired.watching()
        assert wired.closed == 0
    assert wired.closed == 1
