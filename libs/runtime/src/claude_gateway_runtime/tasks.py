"""How many asyncio tasks a process has: a number that only grows is a leak."""

import asyncio


def running_tasks() -> int:
    """Return the number of unfinished tasks of the running loop; 0 where no loop runs."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
