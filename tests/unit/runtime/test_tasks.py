"""The number of tasks."""

import asyncio

from claude_gateway_runtime.tasks import running_tasks


async def test_unfinished_tasks_are_counted() -> None:
    before = running_tasks()
    sleeping = [asyncio.create_task(asyncio.sleep(60)) for _ in range(3)]
    assert running_tasks() == before + 3
    for task in sleeping:
        task.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    assert running_tasks() == before


def test_without_a_loop_there_are_none() -> None:
    assert running_tasks() == 0
