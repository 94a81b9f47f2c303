"""Waiting for what happens elsewhere: by asking again, never by a fixed sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = 90.0
"""Seconds until a wait is given up: long, because a busy machine must not fail a test."""
_PAUSE: Final = 0.02


def until(ask: Callable[[], T], *, timeout: float = PATIENCE, what: str = "") -> T:
    """Ask until the answer is true, and return it. Raises AssertionError, with the last answer, when it never is."""
    end = time.monotonic() + timeout
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:g} s{f' for {what}' if what else ''}; last answer: {answer!r}")
        time.sleep(_PAUSE)
    return answer


async def until_async(ask: Callable[[], Awaitable[T]], *, what: str = "") -> T:
    """Ask until the answer is true, leaving the loop to others meanwhile. Raises AssertionError when it never is."""
    end = time.monotonic() + PATIENCE
    while not (answer := await ask()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE:g} s{f' for {what}' if what else ''}; last answer: {answer!r}")
        await asyncio.sleep(_PAUSE)
    return answer


async def closed() -> None:
    """Let what was aborted close: a transport, and the one beneath it under TLS, do so in later turns of the loop."""
    for _ in range(10):
        await asyncio.sleep(0)
