"""The loop: waits for the doorbell and reconciles; retries failures and ends only by cancellation."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_runtime.kube import KubeError
from claude_gateway_runtime.logs import emit, unexpected

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds before a failed reconciliation is retried; the last value repeats."""

_log: Final = logging.getLogger(__name__)


class Loop:
    """Runs one reconciliation at a time.

    ``reconcile`` returns the seconds until the next one is due without a ring; None means ``resync`` seconds.
    """

    def __init__(
        self,
        reconcile: Callable[[], Awaitable[float | None]],
        *,
        bell: Doorbell,
        resync: float,
        failed: Callable[[], None],
    ) -> None:
        """``failed`` is called after each reconciliation that failed."""
        self._reconcile = reconcile
        self._bell = bell
        self._resync = resync
        self._failed = failed
        self._completed = time.monotonic()

    def age(self) -> float:
        """Return the seconds since the last completed reconciliation, or since the start."""
        return time.monotonic() - self._completed

    async def run(self) -> None:
        """Reconcile at once, then after each ring, until cancelled. A running reconciliation completes first."""
        failures = 0
        due: float | None = 0.0
        while True:
            await self._bell.answer(self._resync if due is None else min(due, self._resync))
            running = asyncio.ensure_future(self._reconcile())
            try:
                due = await asyncio.shield(running)
            except asyncio.CancelledError:
                await asyncio.wait([running])
                raise
            except KubeError as error:
                emit(_log, "reconcile_failed", level=logging.WARNING, error=str(error), failures=failures + 1)
            except Exception as error:  # a bug must not end the loop
                unexpected(_log, "reconcile_failed_unexpectedly", error)
            else:
                self._completed = time.monotonic()
                failures = 0
                continue
            self._failed()
            # Rings do not shorten this pause: more requests would not help an overloaded API server.
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1
            due = 0.0
