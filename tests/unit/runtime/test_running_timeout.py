"""A timeout that a busy process does not mistake for a missing answer."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager

import pytest

from claude_gateway_runtime.running_timeout import RunningTimeout


async def test_without_an_answer_it_expires() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with RunningTimeout(0.1):
            await asyncio.Event().wait()
    assert time.monotonic() - began >= 0.1


async def test_an_answer_that_came_in_time_and_was_read_late_is_taken() -> None:
    async def read(limit: AbstractAsyncContextManager[object]) -> None:
        async with limit:
            asyncio.get_running_loop().call_soon(time.sleep, 0.3)
            await asyncio.sleep(0.05)

    with pytest.raises(TimeoutError):
        await read(asyncio.timeout(0.1))
    await read(RunningTimeout(0.1))


async def test_other_cancellations_and_errors_pass() -> None:
    async def wait() -> None:
        async with RunningTimeout(60):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ZeroDivisionError):
        async with RunningTimeout(60):
            _ = 1 / 0
