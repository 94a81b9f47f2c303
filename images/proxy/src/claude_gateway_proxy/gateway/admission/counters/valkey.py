"""Counters in Valkey, which all pods of a release share: exact, in one round trip per request."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from valkey.exceptions import ConnectionError as ConnectionLostError
from valkey.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ValkeyError

from claude_gateway_proxy.gateway.admission.counters.counters import Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.scripts import SLOT_SECONDS, Call, Calls
from claude_gateway_proxy.gateway.admission.counters.server import SECONDS, Server
from claude_gateway_proxy.gateway.admission.counters.together import AT_ONCE, Together
from claude_gateway_proxy.gateway.admission.demand import Demand, Purse
from claude_gateway_runtime.running_timeout import RunningTimeout

PROBE_SECONDS: Final = 1.0
"""How often Valkey is tried while it does not answer; other requests are answered without it."""

_RENEW_SECONDS: Final = SLOT_SECONDS / 4
_MOST: Final = 50_000
"""The most settlements kept while Valkey does not answer; beyond that, the oldest are dropped."""


_PASSING: Final = (ConnectionLostError, OutOfMemoryError, ReadOnlyError)
"""Errors of single calls that are worth a retry."""


class ValkeyCounters:
    """Counts for one release; ``run`` must be running. ``changed`` is called with the reason when Valkey stops
    answering, and with None when it answers again.
    """

    def __init__(self, server: Server, *, prefix: str, changed: Callable[[str | None], None]) -> None:
        self._client = server.client()
        self._calls = Calls(prefix)
        self._changed = changed
        self._takes = Together(self._take_all)
        self._settlements: deque[Call] = deque(maxlen=_MOST)
        self._held: dict[tuple[str, str], None] = {}
        self._work = asyncio.Event()
        self._failed_at: float | None = None
        self._renewed_at = time.monotonic()

    @property
    def available(self) -> bool:
        """Whether Valkey answered the last call."""
        return self._failed_at is None

    async def take(self, demands: Sequence[Demand], *, holder: str) -> Taken | Refused:
        """Take all demands or nothing. Raises UnavailableError."""
        if self._failed_at is not None and time.monotonic() - self._failed_at < PROBE_SECONDS:
            raise UnavailableError("Valkey did not answer a moment ago")
        taking = self._takes.call(self._calls.take(demands, holder))
        try:
            answer = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Valkey may or may not have counted it, so it is returned as soon as that is known.
            taking.add_done_callback(lambda done: self._give_back(done, demands, holder))
            raise
        except UnavailableError:
            self._give_back(None, demands, holder)
            raise
        taken, *numbers = map(int, answer.split())
        if not taken:
            return Refused(numbers[0], numbers[1] / 1000)
        for demand in demands:
            if (held := self._calls.held(demand, holder)) is not None:
                self._held[held] = None
        return Taken(tuple(numbers))

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], *, holder: str) -> None:
        """Replace what was taken by what was used, soon and in the background."""
        for demand in demands:
            if (held := self._calls.held(demand, holder)) is not None:
                self._held.pop(held, None)
        self._settlements.append(self._calls.settle(demands, actual, holder))
        self._work.set()

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        """Return what is spent of purses. Raises UnavailableError."""
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(self._calls.key(key), "spent")
        found = await self._answered(pipeline.execute)
        return {key: int(value or 0) for key, value in zip(keys, found, strict=True)}

    async def hashes(self, keys: Sequence[str], *, number: str) -> tuple[int | None, Sequence[Mapping[bytes, bytes]]]:
        """Return a number (None if there is none) and whole hashes. Raises UnavailableError."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.get(number)
        for key in keys:
            pipeline.hgetall(key)
        found, *hashes = await self._answered(pipeline.execute, counts=False)
        return None if found is None else int(found), hashes

    async def restore(self, purses: Sequence[Purse], spent: Sequence[int]) -> None:
        """Raise the counts of purses to at least these amounts. Raises UnavailableError."""
        await self.call(self._calls.restore(purses, spent))

    async def run(self) -> None:
        """Send settlements, renew slots and reservations, and check whether Valkey answers again, until cancelled."""
        task = asyncio.current_task()
        await self._probe()
        # The client library may swallow a cancellation; the task then still knows that it was asked to end.
        while task is None or not task.cancelling():
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._work.wait()
            self._work.clear()
            if self._failed_at is not None:
                await asyncio.sleep(max(0.0, self._failed_at + PROBE_SECONDS - time.monotonic()))
                await self._probe()
            if self._failed_at is None:
                with suppress(UnavailableError):
                    await self._flush()
                    await self._renew()

    async def close(self) -> None:
        """Send what is left, within a short time limit, and close the connections."""
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(2 * SECONDS):
                await self._flush()
        with suppress(ValkeyError, OSError):
            await self._client.aclose()

    def _give_back(self, done: "asyncio.Future[Any] | None", demands: Sequence[Demand], holder: str) -> None:
        if done is not None and not done.cancelled():
            done.exception()  # it has no owner any more
        self.settle(demands, [0] * len(demands), holder=holder)

    async def _probe(self) -> None:
        with suppress(UnavailableError):
            # It writes, as every request does: a read-only replica, or a user without write permission, fails the
            # check.
            await self.call(self._calls.take((), "probe"))

    async def _flush(self) -> None:
        """Send all settlements. One that fails is sent again: the second time nothing happens."""
        while self._settlements:
            calls = tuple(islice(self._settlements, AT_ONCE))
            await self._settle_all(calls)
            for call in calls:
                # A full queue may have dropped it meanwhile.
                if self._settlements[0] is call:
                    self._settlements.popleft()

    async def _renew(self) -> None:
        if time.monotonic() - self._renewed_at < _RENEW_SECONDS:
            return
        self._renewed_at = time.monotonic()
        held = list(self._held)
        for start in range(0, len(held), AT_ONCE):
            await self.call(self._calls.renew(held[start : start + AT_ONCE]))

    async def call(self, call: Call, *, counts: bool = True) -> Any:
        """Return the answer of one script, which Valkey may not know yet. Raises UnavailableError.

        Without ``counts``, its failure does not mean that Valkey is unavailable: the user may have no right to run it.
        """
        script, keys, values = call
        try:
            return await self._answered(
                lambda: self._client.evalsha(script.sha, len(keys), *keys, *values), counts=counts
            )
        except NoScriptError:
            return await self._answered(
                lambda: self._client.eval(script.text, len(keys), *keys, *values), counts=counts
            )

    async def _take_all(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Return the answer of each call, or its UnavailableError. Raises UnavailableError if all calls failed."""
        if len(calls) == 1:
            return [await self.call(calls[0])]
        answers: list[Any] = []
        for answer in await self._run_all(calls):
            if isinstance(answer, ValkeyError):
                self._note(f"{type(answer).__name__}: {answer}")
                answers.append(UnavailableError(str(answer)))
            else:
                answers.append(answer)
        return answers

    async def _settle_all(self, calls: Sequence[Call]) -> None:
        """Settle in one round trip. Raises UnavailableError if one of the calls is worth a retry."""
        for answer in await self._run_all(calls):
            if isinstance(answer, _PASSING):
                self._note(f"{type(answer).__name__}: {answer}")
                raise UnavailableError(str(answer))

    async def _run_all(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Run scripts in one round trip, and return their answers or errors. Raises UnavailableError."""
        pipeline = self._client.pipeline(transaction=False)
        for script, keys, values in calls:
            pipeline.evalsha(script.sha, len(keys), *keys, *values)
        found = await self._answered(lambda: pipeline.execute(raise_on_error=False))
        return [
            await self.call(call) if isinstance(answer, NoScriptError) else answer
            for call, answer in zip(calls, found, strict=True)
        ]

    async def _answered(self, ask: Callable[[], Any], *, counts: bool = True) -> Any:
        """Return an answer of Valkey, and record whether there is one. Raises UnavailableError, NoScriptError."""
        try:
            async with RunningTimeout(SECONDS):
                answer = await ask()
        except NoScriptError:
            raise
        except (ValkeyError, OSError, TimeoutError) as error:
            if counts:
                self._note(f"{type(error).__name__}: {error}")
            raise UnavailableError(str(error)) from None
        if counts:
            self._note(None)
        return answer

    def _note(self, error: str | None) -> None:
        was = self._failed_at
        self._failed_at = None if error is None else time.monotonic()
        if (was is None) != (error is None):
            self._changed(error)
