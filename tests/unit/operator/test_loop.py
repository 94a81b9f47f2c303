"""The doorbell and the loop that answers it."""

import asyncio

import pytest

from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_operator.loop import Loop
from claude_gateway_runtime.kube import Retryable


async def test_many_rings_are_one_answer() -> None:
    bell = Doorbell(quiet=0.01, longest=0.05)
    for _ in range(50):
        bell.ring()
    assert await bell.answer(10)
    assert not await bell.answer(0.01)
    assert bell.rings == 50


async def test_a_bell_that_never_stops_is_answered_all_the_same() -> None:
    bell = Doorbell(quiet=0.05, longest=0.2)

    async def ring() -> None:
        while True:
            bell.ring()
            await asyncio.sleep(0.01)

    ringing = asyncio.create_task(ring())
    assert await asyncio.wait_for(bell.answer(10), 10)
    ringing.cancel()


async def test_a_ring_during_a_reconciliation_causes_another_one() -> None:
    bell = Doorbell(quiet=0.001, longest=0.01)
    reconciliations: list[int] = []
    done = asyncio.Event()

    async def reconcile() -> float | None:
        reconciliations.append(len(reconciliations))
        if len(reconciliations) == 1:
            bell.ring()
        else:
            done.set()
        return None

    task = asyncio.create_task(Loop(reconcile, bell=bell, resync=1000, failed=lambda: None).run())
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
    assert len(reconciliations) == 2


@pytest.mark.parametrize("error", [Retryable("away"), KeyError("a bug")])
async def test_a_failed_reconciliation_is_retried_and_its_message_is_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[int] = []
    done = asyncio.Event()

    async def reconcile() -> float | None:
        if not failures:
            raise error
        done.set()
        return None

    loop = Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: failures.append(1))
    task = asyncio.create_task(loop.run())
    await asyncio.wait_for(done.wait(), 20)
    task.cancel()
    assert failures == [1]
    assert "a bug" not in caplog.text


async def test_a_running_reconciliation_completes_before_the_end() -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reconcile() -> float | None:
        began.set()
        await may_end.wait()
        ended.set()
        return None

    task = asyncio.create_task(Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: None).run())
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait([task])
    assert ended.is_set()
    assert task.cancelled()


async def test_a_reconciliation_is_due_when_the_last_one_says_so() -> None:
    reconciliations = 0
    done = asyncio.Event()

    async def reconcile() -> float | None:
        nonlocal reconciliations
        reconciliations += 1
        if reconciliations == 3:
            done.set()
        return 0.01

    task = asyncio.create_task(Loop(reconcile, bell=Doorbell(), resync=1000, failed=lambda: None).run())
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
