"""The doorbell: combines many change notifications into one reconciliation."""

import asyncio


class Doorbell:
    """Any task can ring; one task answers after ``quiet`` seconds without a ring, ``longest`` after the first ring."""

    def __init__(self, *, quiet: float = 0.1, longest: float = 1.0) -> None:
        """Start without a ring."""
        self.rings = 0
        self._quiet = quiet
        self._longest = longest
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Request a reconciliation."""
        self.rings += 1
        self._rung.set()

    async def answer(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for a ring, then until rings pause; returns False if there was no ring."""
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return False
        loop = asyncio.get_running_loop()
        end = loop.time() + self._longest
        while self._rung.is_set() and loop.time() < end:
            self._rung.clear()
            try:
                await asyncio.wait_for(self._rung.wait(), min(self._quiet, max(0.0, end - loop.time())))
            except TimeoutError:
                break
        self._rung.clear()
        return True
