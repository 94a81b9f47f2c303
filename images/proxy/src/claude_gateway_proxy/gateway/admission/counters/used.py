"""What callers used, counted in Valkey for all pods of a release.

A pod sends its sums once a second, in one script per batch, so that no request waits for it and no batch counts twice.
A caller's hours are kept for a day, and its days for as long as any usage is.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, fields
from hashlib import blake2b
from itertools import islice
from typing import Final

from claude_gateway.contract.spent import Sum
from claude_gateway_proxy.gateway.admission.counters.counters import UnavailableError
from claude_gateway_proxy.gateway.admission.counters.scripts import USE, Calls, Script
from claude_gateway_proxy.gateway.admission.counters.server import SECONDS
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.costs.usage import HOUR, KEPT, MODELS, Found, Row, Used, sum_of
from claude_gateway_proxy.gateway.telemetry.bounded import Bounded
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_runtime.logs import emit

FLUSH_SECONDS: Final = 1.0
"""How often sums are sent: a pod that is killed loses the sums since then."""

_DAY: Final = 24 * HOUR
_LIVES: Final = {"hour": _DAY, "day": KEPT + 2 * _DAY}
_AT_ONCE: Final = 100
"""The most hashes in one call."""
_MOST: Final = 50_000
"""The most hashes that wait while Valkey cannot be reached; more are dropped."""
_MODEL: Final = 128
_MARK_SECONDS: Final = str(25 * HOUR)
_COUNTS: Final = tuple(field.name for field in fields(Sum))

_log: Final = logging.getLogger(__name__)
_Batch = tuple[Script, list[str], list[str]]


class SharedUsed:
    """The usage of one release; ``run`` must be running. ``alone`` answers while Valkey does not."""

    def __init__(self, counters: ValkeyCounters, *, alone: Used, prefix: str, clock: Callable[[], float] = time.time):
        self._counters = counters
        self._alone = alone
        self._calls = Calls(prefix)
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._number = 0
        self._models = Bounded(MODELS)
        self._waiting: dict[tuple[str, str], dict[str, Sum]] = {}
        self._since = 0
        self._lost = False
        self._failing = False
        self._batch: _Batch | None = None
        self._sending = asyncio.Lock()

    def note(self, record: Record) -> None:
        """Record a request at its end, if it reached a target; it is sent soon."""
        if not record.billed_model:
            return
        now = int(self._clock())
        self._since = self._since or now
        model = self._models.of(record.billed_model)[:_MODEL]
        for user in {"", record.user}:
            caller = _caller(record.client, user)
            for period, begin in (("hour", now - now % HOUR), ("day", now - now % _DAY)):
                self._add((period, f"{begin}:{caller}"), model, sum_of(record))

    async def find(self, client: str, user: str) -> Found:
        """Return what a person or a whole client used on all pods; only on this pod if Valkey does not answer."""
        now = int(self._clock())
        today, caller = now - now % _DAY, _caller(client, user)
        begins = [
            *(("day", begin) for begin in range(today - KEPT, today, _DAY)),
            *(("hour", begin) for begin in range(today, now + 1, HOUR)),
        ]
        keys = [self._key(period, f"{begin}:{caller}") for period, begin in begins]
        try:
            await self.flush()
            since, hashes = await self._counters.hashes(keys, number=self._calls.key("used:since"))
        except UnavailableError:
            return await self._alone.find(client, user)
        rows = [row for (_, begin), found in zip(begins, hashes, strict=True) for row in _rows(begin, found)]
        return Found("release", max(now if since is None else since, today - KEPT), rows)

    async def run(self) -> None:
        """Send pending sums, until cancelled."""
        task = asyncio.current_task()
        # The client library may swallow a cancellation; the task then still knows that it was asked to end.
        while task is None or not task.cancelling():
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except UnavailableError as error:
                self._failed(str(error))
            else:
                self._failing = False

    async def flush(self) -> None:
        """Send all pending sums. Raises UnavailableError; what was not sent is sent the next time."""
        async with self._sending:
            while self._batch is not None or self._waiting:
                if self._batch is None:
                    self._batch = self._next()
                await self._counters.call(self._batch, counts=False)
                self._batch = None

    async def close(self) -> None:
        """Send what is left, within a short time limit."""
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(2 * SECONDS):
                await self.flush()

    def _failed(self, error: str) -> None:
        """Log that nothing can be sent, once per outage."""
        if not self._failing:
            emit(_log, "usage_not_shared", level=logging.WARNING, error=error)
        self._failing = True

    def _add(self, key: tuple[str, str], model: str, found: Sum) -> None:
        models = self._waiting.get(key)
        if models is None:
            if len(self._waiting) >= _MOST:
                self._lost = True
                return
            models = self._waiting[key] = {}
        models.setdefault(model, Sum()).add(found)

    def _next(self) -> _Batch:
        """Return the next batch of pending sums; it keeps its number until it was sent."""
        self._number += 1
        taken = list(islice(self._waiting, _AT_ONCE))
        since = int(self._clock()) if self._lost else self._since
        keys = [self._calls.key(f"used:last:{self._name}"), self._calls.key("used:since")]
        values = [str(self._number), _MARK_SECONDS, str(_LIVES["day"]), str(since), str(int(self._lost))]
        for key in taken:
            period, name = key
            counts = list(_fields(self._waiting.pop(key)))
            keys.append(self._key(period, name))
            values += (str(_LIVES[period]), str(len(counts)), *(text for pair in counts for text in pair))
        if not self._waiting:
            self._since = 0
        self._lost = False
        return USE, keys, values

    def _key(self, period: str, name: str) -> str:
        return self._calls.key(f"used:{period}:{name}")


def _caller(client: str, user: str) -> str:
    """Return the digest of a caller for use in keys, so that readers of the keys learn no names."""
    return blake2b(f"{client}\0{user}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _fields(models: Mapping[str, Sum]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a hash with their amounts: the count's place in a sum, and the model."""
    for model, found in models.items():
        for place, amount in enumerate(astuple(found)):
            if amount:
                yield f"{place} {model}", str(amount)


def _rows(begin: int, found: Mapping[bytes, bytes]) -> Iterator[Row]:
    """Yield the usage in one hash, by model."""
    models: dict[str, Sum] = {}
    for name, amount in found.items():
        place, _, model = name.decode("utf-8", "surrogatepass").partition(" ")
        setattr(models.setdefault(model, Sum()), _COUNTS[int(place)], int(amount))
    for model, each in models.items():
        yield begin, model, each
