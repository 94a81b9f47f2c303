"""The one task and one timer that end a request's work, and how they leave everything else alone."""

import asyncio
from typing import Any

import pytest

from claude_gateway_proxy.gateway.deadline import Cause, Deadline, Ended


class Client:
    """The receiving end of ASGI: stays until ``left`` is set."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def _forever() -> None:
    await asyncio.Event().wait()


async def test_a_client_that_leaves_ends_the_work() -> None:
    client = Client()
    deadline = Deadline(client.receive, total=60)
    client.left.set()
    with pytest.raises(Ended) as ended, deadline:
        await _forever()
    deadline.stop()
    assert ended.value.cause is Cause.GONE


@pytest.mark.parametrize(("total", "silence", "cause"), [(60, 0.01, Cause.SILENT), (0.01, 60, Cause.TOTAL)])
async def test_the_limit_that_is_over_first_ends_the_work(total: float, silence: float, cause: Cause) -> None:
    deadline = Deadline(Client().receive, total=total)
    deadline.silence(silence)
    with pytest.raises(Ended) as ended, deadline:
        await _forever()
    deadline.stop()
    assert ended.value.cause is cause


async def test_after_one_limit_the_next_one_starts_at_zero() -> None:
    deadline = Deadline(Client().receive, total=60)
    for limit in (0.02, 0.01, 0.02):
        deadline.silence(limit)
        with pytest.raises(Ended), deadline:
            await _forever()
    deadline.stop()


async def test_a_pause_stops_the_clock_and_a_resume_starts_it() -> None:
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(0.01)
    with deadline:
        deadline.pause()
        await asyncio.sleep(0.05)
    deadline.resume()
    with pytest.raises(Ended) as ended, deadline:
        await _forever()
    deadline.stop()
    assert ended.value.cause is Cause.SILENT


async def _beats(deadline: Deadline, *, every: float, seconds: float) -> int:
    """How often a sign of life was due while the work waited."""
    beats: list[float] = []
    deadline.beat(every, lambda: beats.append(0))
    with deadline:
        await asyncio.sleep(seconds)
    return len(beats)


async def test_a_silence_beats_again_and_again() -> None:
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(60)
    assert await _beats(deadline, every=0.01, seconds=0.2) > 1
    deadline.stop()


async def test_a_beat_does_not_put_off_the_end_of_a_silence() -> None:
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(0.05)
    deadline.beat(0.01, lambda: None)
    with pytest.raises(Ended) as ended, deadline:
        await _forever()
    deadline.stop()
    assert ended.value.cause is Cause.SILENT


async def test_nothing_beats_while_the_client_is_waited_for() -> None:
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(60)
    deadline.pause()
    assert await _beats(deadline, every=0.01, seconds=0.1) == 0
    deadline.resume()
    assert await _beats(deadline, every=0.01, seconds=0.2) > 0
    deadline.stop()


async def test_nothing_beats_while_the_upstream_talks() -> None:
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(60)
    beats: list[float] = []
    deadline.beat(5, lambda: beats.append(0))
    with deadline:
        for _ in range(50):
            deadline.pause()
            deadline.resume()
            await asyncio.sleep(0)
    deadline.stop()
    assert beats == []


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        deadline = Deadline(Client().receive, total=60)
        try:
            with deadline:
                await _forever()
        finally:
            deadline.stop()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_comes_before_our_own() -> None:
    client = Client()

    async def work() -> None:
        deadline = Deadline(client.receive, total=60)
        try:
            with deadline:
                await _forever()
        finally:
            deadline.stop()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    client.left.set()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_after_the_end() -> None:
    before = asyncio.all_tasks()
    deadline = Deadline(Client().receive, total=60)
    deadline.silence(1)
    with deadline:
        await asyncio.sleep(0)
    deadline.stop()
    assert deadline._timer.cancelled()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
