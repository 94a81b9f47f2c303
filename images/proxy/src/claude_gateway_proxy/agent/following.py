"""Follows one named object through whatever happens between it and us."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp

from claude_gateway_proxy.agent.apiserver import (
    BOOKMARK,
    DELETED,
    WATCH_SECONDS,
    ApiError,
    Cluster,
    Connection,
    Named,
    entries,
)
from claude_gateway_runtime.logs import emit

PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next attempt, by the number of those that failed; the last one repeats."""
PROOF_SECONDS: Final = 1.0
"""A watch that ends without an event before this counts as failed, or a loop of them would be a load."""
TROUBLE: Final = 4
"""Attempts that fail in a row before it is told: a restarted API server is no news."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of an object: ``entries`` is None if there is none; ``trouble`` is why this may be out of date."""

    known: bool = False
    entries: Mapping[str, bytes] | None = field(default=None, repr=False)
    trouble: str | None = None


class Follower:
    """Keeps the newest ``state`` of one object and calls ``changed`` after each change of it."""

    def __init__(
        self, cluster: Cluster, named: Named, *, changed: Callable[[], None], watch_seconds: int = WATCH_SECONDS
    ) -> None:
        """Nothing is asked before ``run``."""
        self.named = named
        self.state = State()
        self._cluster = cluster
        self._changed = changed
        self._watch_seconds = watch_seconds
        self._since: str | None = None
        self._proven = False
        self._failures = 0

    async def run(self) -> None:
        """Get once, then watch, until cancelled: a lost watch resumes, one that cannot begins with another get.

        A watch after a get begins with what is there, not at the version of the object: an API server that started
        after the object's last change would call that too old each time.
        """
        while True:
            self._proven = False
            try:
                async with self._cluster.connect() as connection:
                    await self._get(connection)
                    await self._watch(connection)
                if not self._proven:
                    self._failed("the API server ends the watch at once")
            except ApiError as error:
                self._since = None
                self._failed(str(error), level=logging.INFO if error.expired else logging.WARNING)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                # Some of these have no words of their own.
                self._failed(f"the API server cannot be reached: {str(error) or type(error).__name__}")
            pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret

    async def _get(self, connection: Connection) -> None:
        if self._since is None:
            found = await connection.get(self.named)
            self._saw(None if found is None else entries(found))

    async def _watch(self, connection: Connection) -> None:
        async with connection.watch(self.named, since=self._since, seconds=self._watch_seconds) as events:
            lasting = asyncio.get_running_loop().call_later(PROOF_SECONDS, self._works)
            try:
                async for event in events:
                    if event.type != BOOKMARK:
                        self._saw(None if event.type == DELETED else entries(event.object))
                    self._since = event.version
                    self._works()
            finally:
                lasting.cancel()

    def _saw(self, found: Mapping[str, bytes] | None) -> None:
        """Take note of the object; a change of it is worth more than the trouble on the way."""
        if not self.state.known or found != self.state.entries:
            self._put(State(known=True, entries=found))

    def _works(self) -> None:
        """A watch that lasts or gives an event works; that it was opened alone proves nothing."""
        self._proven = True
        if self._failures:
            emit(_log, "watch_resumed", object=str(self.named), failures=self._failures)
            self._failures = 0
        self._put(replace(self.state, trouble=None))

    def _failed(self, error: str, *, level: int = logging.WARNING) -> None:
        """Count an attempt that failed; the first of a row is worth a line, the others are the same trouble."""
        self._failures += 1
        seen = level if self._failures == 1 else logging.DEBUG
        emit(_log, "watch_lost", level=seen, object=str(self.named), error=error)
        if self._failures >= TROUBLE:
            self._put(replace(self.state, trouble=error))

    def _put(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed()
