"""How a server shuts down: it accepts no new connections, and finishes responses and requests that are on their way."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from claude_gateway_runtime.server.listener import Listener
from claude_gateway_runtime.server.protocol import QUIET_SECONDS

_STEP_SECONDS: Final = 0.1
_MOST_SECONDS: Final = QUIET_SECONDS + 1.0
"""How long connections may wait after the last response: idle ones are closed by then, the others send nothing."""


async def drain(
    listeners: Sequence[Listener], *, in_flight: Callable[[], int], urgent: asyncio.Event, seconds: float
) -> None:
    """Stop accepting, then return when every request is answered and no client can still send one.

    ``in_flight`` counts the running answers. Returns at once when ``urgent`` is set, and after ``seconds`` at the
    latest.
    """
    for listener in listeners:
        listener.stop_accepting()
    waits = [asyncio.create_task(_answered(listeners, in_flight)), asyncio.create_task(urgent.wait())]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _answered(listeners: Sequence[Listener], in_flight: Callable[[], int]) -> None:
    steps = round(_MOST_SECONDS / _STEP_SECONDS)
    left = steps
    while in_flight() or (left and any(listener.waiting for listener in listeners)):
        left = steps if in_flight() else left - 1
        await asyncio.sleep(_STEP_SECONDS)
