"""Follows one object by get and watch, across failures and restarts of the API server."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from claude_gateway_runtime.kube import (
    BOOKMARK,
    DELETED,
    WATCH_SECONDS,
    Access,
    Expired,
    Kube,
    KubeError,
    Unreachable,
    entries,
    path,
)
from claude_gateway_runtime.logs import emit

CONNECT_SECONDS: Final = 5.0
GET_SECONDS: Final = 30.0
_SILENCE: Final = 1.1
"""A watch that sends nothing for this many times its duration is dead."""
PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next attempt, by the number of those that failed; the last one repeats."""
PROOF_SECONDS: Final = 1.0
"""A watch that ends earlier without an event counts as failed, because a tight loop of watches would be a load."""
TROUBLE: Final = 4
"""Failed attempts in a row before they are reported: a restart of the API server is not reported."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """One object of the core API: ``resource`` as in paths (``configmaps``), ``kind`` as in messages."""

    kind: str
    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class State:
    """The known state of an object.

    ``entries`` is None if the object does not exist; ``trouble`` is why the state may be out of date.
    """

    known: bool = False
    entries: Mapping[str, bytes] | None = field(default=None, repr=False)
    trouble: str | None = None


class Follower:
    """Keeps the newest ``state`` of one object and calls ``changed`` after each change of it."""

    def __init__(
        self, access: Access, named: Named, *, changed: Callable[[], None], watch_seconds: int = WATCH_SECONDS
    ) -> None:
        """No request is sent before ``run``."""
        self.named = named
        self.state = State()
        self._access = access
        self._changed = changed
        self._watch_seconds = watch_seconds
        self._since: str | None = None
        self._proven = False
        self._failures = 0

    async def run(self) -> None:
        """Get once, then watch, until cancelled. A lost watch resumes; if it cannot resume, get again.

        A watch after a get begins with the current state, not at the version of the object: an API server that started
        after the object's last change would reject that version as too old each time.
        """
        while True:
            self._proven = False
            try:
                # A new client each time, which reads the certificate authority again and leaves no connection behind.
                async with self._client() as kube:
                    await self._get(kube)
                    await self._watch(kube)
                if not self._proven:
                    self._failed("the API server ends the watch at once")
            except Unreachable as error:
                self._failed(str(error))
            except KubeError as error:
                self._since = None
                self._failed(str(error), level=logging.INFO if isinstance(error, Expired) else logging.WARNING)
            except OSError as error:
                self._failed(f"the API server cannot be reached: {error}")
            pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret

    def _client(self) -> Kube:
        return Kube(self._access, connect_seconds=CONNECT_SECONDS, request_seconds=GET_SECONDS)

    async def _get(self, kube: Kube) -> None:
        if self._since is None:
            named = self.named
            found = await kube.get(path(named.resource, named.namespace, named.name, api="v1"))
            self._saw(None if found is None else entries(found))

    async def _watch(self, kube: Kube) -> None:
        async with kube.watch(
            path(self.named.resource, self.named.namespace, api="v1"),
            {"fieldSelector": f"metadata.name={self.named.name}"},
            since=self._since,
            seconds=self._watch_seconds,
            silence_seconds=self._watch_seconds * _SILENCE,
        ) as events:
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
        """Store the object; a change of it clears the trouble."""
        if not self.state.known or found != self.state.entries:
            self._put(State(known=True, entries=found))

    def _works(self) -> None:
        """Record that the watch works: it lasted, or sent an event. An opened watch alone proves nothing."""
        self._proven = True
        if self._failures:
            emit(_log, "watch_resumed", object=str(self.named), failures=self._failures)
            self._failures = 0
        self._put(replace(self.state, trouble=None))

    def _failed(self, error: str, *, level: int = logging.WARNING) -> None:
        """Count an attempt that failed; only the first of a row is logged."""
        self._failures += 1
        seen = level if self._failures == 1 else logging.DEBUG
        emit(_log, "watch_lost", level=seen, object=str(self.named), error=error)
        if self._failures >= TROUBLE:
            self._put(replace(self.state, trouble=error))

    def _put(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed()
