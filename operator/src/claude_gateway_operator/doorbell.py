"""The doorbell: many rings, one answer."""

import asyncio


class Doorbell:
    """Anybody rings; one task answers, once it was quiet for ``quiet`` seconds, ``longest`` after the first ring."""

    def __init__(self, *, quiet: float = 0.1, longest: float = 1.0) -> None:
        """Nobody has rung yet."""
        self.rings = 0
        self._quiet = quiet
        self._longest = longest
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Ask for a look at everything."""
        self.rings += 1
        self._rung.set()

    async def answer(self, seconds: float) -> bool:
        """Wait for a ring, at most ``seconds``, and for it to be quiet again; False if nobody rang."""
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
