"""The loop: wait for the bell, look, begin anew; what fails is tried again, and nothing ends it but cancellation."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_runtime.kube import KubeError
from claude_gateway_runtime.logs import emit, unexpected

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds before a failed look is tried again; the last one repeats."""

_log: Final = logging.getLogger(__name__)


class Loop:
    """Runs one look at a time; ``look`` gives the seconds until the next one is due anyway, None for ``resync``."""

    def __init__(
        self, look: Callable[[], Awaitable[float | None]], *, bell: Doorbell, resync: float, failed: Callable[[], None]
    ) -> None:
        """``failed`` is called for each look that failed."""
        self._look = look
        self._bell = bell
        self._resync = resync
        self._failed = failed
        self._completed = time.monotonic()

    def age(self) -> float:
        """Seconds since the last completed look, or since the start."""
        return time.monotonic() - self._completed

    async def run(self) -> None:
        """Look at once, then whenever the bell rings, until cancelled. A look that runs is finished first."""
        failures = 0
        due: float | None = 0.0
        while True:
            await self._bell.answer(self._resync if due is None else min(due, self._resync))
            look = asyncio.ensure_future(self._look())
            try:
                due = await asyncio.shield(look)
            except asyncio.CancelledError:
                await asyncio.wait([look])
                raise
            except KubeError as error:
                emit(_log, "look_failed", level=logging.WARNING, error=str(error), failures=failures + 1)
            except Exception as error:  # a bug must not end the loop
                unexpected(_log, "look_failed_unexpectedly", error)
            else:
                self._completed = time.monotonic()
                failures = 0
                continue
            self._failed()
            # Rings do not shorten this pause: an API server in trouble is not helped by more requests.
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1
            due = 0.0
