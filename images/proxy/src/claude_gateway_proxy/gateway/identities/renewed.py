"""A fetched credential: cached, renewed before its end, and fetched only once at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_FAILED_SECONDS: Final = 2.0
"""How long a failure is cached, so that not every request calls a failing endpoint."""


class Lack(Enum):
    """Why a credential is missing: a retry may succeed only if its issuer did not answer."""

    MISSING = "the gateway has no usable configuration for it"
    REFUSED = "its issuer said no"
    UNANSWERED = "its issuer does not answer at the moment"


class IdentityError(Exception):
    """There is no usable credential; the message may be logged and holds no secret."""

    def __init__(self, message: str, lack: Lack = Lack.MISSING) -> None:
        super().__init__(message)
        self.lack = lack


@dataclass(frozen=True, slots=True)
class Lease(Generic[T]):
    """A credential, with the seconds from now until it should be renewed and until it must not be used any more."""

    value: T
    fresh: float
    usable: float


Fetch = Callable[[], Awaitable[Lease[T]]]
"""Fetches a credential. Raises IdentityError."""


def threaded(fetch: Callable[[], Lease[T]], executor: Executor) -> Fetch[T]:
    """Return a fetch that runs a blocking one in ``executor``."""

    async def fetched() -> Lease[T]:
        return await asyncio.get_running_loop().run_in_executor(executor, fetch)

    return fetched


class Renewed(Generic[T]):
    """Caches a valid credential. Renewal begins before its end, so that requests rarely wait for it."""

    def __init__(self, fetch: Fetch[T], *, clock: Callable[[], float] = time.monotonic) -> None:
        """``fetch`` never runs twice at once. ``clock`` returns monotonic seconds."""
        self._fetch = fetch
        self._clock = clock
        self._lease: Lease[T] | None = None
        self._since = 0.0
        self._failed: tuple[float, IdentityError] | None = None
        self._renewal: asyncio.Task[T] | None = None
        self._rejected: T | None = None
        self.failures = 0

    @property
    def failure(self) -> IdentityError | None:
        """Why the last renewal failed; None once one succeeded."""
        return None if self._failed is None else self._failed[1]

    @property
    def current(self) -> T | None:
        """The last credential, without any check."""
        return None if self._lease is None else self._lease.value

    async def get(self) -> T:
        """Return the credential. Raises IdentityError."""
        age = self._clock() - self._since
        lease = self._lease if self._lease is None or self._lease.value != self._rejected else None
        if lease is not None and age < lease.fresh:
            return lease.value
        usable = lease is not None and age < lease.usable
        if self._failed is not None and self._clock() - self._failed[0] < _FAILED_SECONDS:
            if lease is not None and usable:
                return lease.value
            raise self._failed[1]
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_seen)
        if lease is not None and usable:
            return lease.value
        # A cancelled request must not end the renewal that others wait for.
        return await asyncio.shield(self._renewal)

    def reject(self, value: T) -> None:
        """Drop a credential that was rejected in use; a newer one stays."""
        self._rejected = value

    async def _renew(self) -> T:
        try:
            since = self._clock()
            lease = await self._fetch()
        except IdentityError as error:
            self._failed = (self._clock(), error)
            self.failures += 1
            raise
        finally:
            self._renewal = None
        self._lease, self._since, self._failed = lease, since, None
        return lease.value


def _seen(task: "asyncio.Task[T]") -> None:
    """Mark the exception as retrieved: a renewal in the background may fail while no request waits for it."""
    if not task.cancelled():
        task.exception()
