"""Ends the work on a request when its client disconnects or a time limit is over, with one timer.

The same timer calls back when a ping is due.
"""

import asyncio
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Final, Self

from claude_gateway_runtime.asgi import Incoming, Receive

_NEVER: Final = float("inf")


class Cause(Enum):
    """Why the work was ended."""

    GONE = "the client left"
    SILENT = "the upstream was silent for too long"
    TOTAL = "the whole answer took too long"


class Ended(Exception):  # noqa: N818 - not every end is an error
    """The work within ``with deadline`` was cancelled for ``cause``."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


class Deadline:
    """Cancels what the current task runs within ``with deadline``, and raises Ended in its place.

    ``silence`` sets how long to wait for the upstream from now on; ``pause`` and ``resume`` exclude the time that a
    slow client takes. They only store times, which the timer reads when it fires: a stream of many events must not set
    a timer for each.
    """

    __slots__ = (
        "_beat",
        "_beat_at",
        "_cancelling",
        "_cause",
        "_disconnected",
        "_end",
        "_every",
        "_incoming",
        "_limit",
        "_loop",
        "_since",
        "_task",
        "_timer",
        "_timer_at",
    )

    def __init__(self, receive: Receive, *, total: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered within a task")
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._cancelling = task.cancelling()
        self._cause: Cause | None = None
        self._limit = self._every = _NEVER
        self._since = _NEVER
        self._beat_at = -_NEVER
        self._beat: Callable[[], None] | None = None
        self._end = self._timer_at = self._loop.time() + total
        self._timer = self._loop.call_at(self._timer_at, self._check)
        self._incoming: Incoming | None = None
        self._disconnected: asyncio.Task[None] | None = None
        if isinstance(receive, Incoming):
            self._incoming = receive
            receive.watch(self._gone)
        else:
            self._disconnected = self._loop.create_task(self._wait_for_disconnect(receive))

    def silence(self, limit: float) -> None:
        """Wait at most ``limit`` seconds for the upstream, counted from now and from each ``resume``."""
        self._limit = limit
        self.resume()
        self._check_by(self._since + limit)

    def beat(self, every: float, call: Callable[[], None]) -> None:
        """Call back each time that the upstream was silent for ``every`` seconds; this changes no time limit.

        ``call`` must return at once.
        """
        self._every = every
        self._beat = call
        self._check_by(self._since + every)

    def pause(self) -> None:
        """Stop the clock of the silence: the gateway does not wait for the upstream now."""
        self._since = _NEVER

    def resume(self) -> None:
        """Start the clock of the silence again, at zero."""
        self._since = self._loop.time()

    def stop(self) -> None:
        """Cancel the timer and no longer wait for the client to leave; must be called at the end."""
        self._timer.cancel()
        if self._incoming is not None:
            self._incoming.unwatch(self._gone)
        if self._disconnected is not None:
            self._disconnected.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cause = self._cause
        if cause is None:
            return
        self._cause = None
        if self._task.uncancel() <= self._cancelling:
            raise Ended(cause) from None
        # The task was cancelled from outside as well, which takes precedence.

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone()

    def _gone(self) -> None:
        self._end_with(Cause.GONE)

    def _check(self) -> None:
        now = self._loop.time()
        if now >= self._end:
            self._end_with(Cause.TOTAL)
        elif now >= self._since + self._limit:
            self._set_timer(self._end)
            self._end_with(Cause.SILENT)
        else:
            if self._beat is not None and now >= max(self._since, self._beat_at) + self._every:
                self._beat_at = now
                self._beat()
            # While paused, check again after the limit: a resume in the meantime cannot be due before that.
            since = min(self._since, now)
            self._set_timer(min(self._end, since + self._limit, max(since, self._beat_at) + self._every))

    def _check_by(self, at: float) -> None:
        if at < self._timer_at:
            self._timer.cancel()
            self._set_timer(at)

    def _set_timer(self, at: float) -> None:
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._check)

    def _end_with(self, cause: Cause) -> None:
        if self._cause is None:
            self._cause = cause
            self._task.cancel()
