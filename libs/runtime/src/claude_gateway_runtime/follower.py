"""Follows the bundle folder: builds a value from each new revision and swaps it in as a whole.

The gateway and the LiteLLM worker follow the same folder, each at its own pace.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError, unpack
from claude_gateway.contract.report import ProcessReport

_POLL_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 2.0


class Revision(Protocol):
    """A value that a process builds from a bundle."""

    @property
    def revision(self) -> str:
        """The bundle's revision."""


T = TypeVar("T", bound=Revision)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """``value`` replaced ``before``; reading and building it took ``seconds``."""

    value: T
    before: T | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A revision could not be loaded; the one before stays in force."""

    revision: str
    error: str


class Follower(Generic[T]):
    """Holds the value of the newest revision that could be loaded."""

    def __init__(
        self, bundle_dir: Path, *, build: Callable[[Bundle], T], on_change: Callable[[Loaded[T] | Refused], None]
    ) -> None:
        """Read nothing before ``run`` or ``check``.

        ``build`` runs in a thread and may raise BundleError. ``on_change`` is called in the event loop after each
        attempt, with ``current`` already set.
        """
        self.current: T | None = None
        self._bundle_dir = bundle_dir
        self._build = build
        self._on_change = on_change
        self._refused: Refused | None = None
        self._retry_at = 0.0

    def report(self, *, in_flight: int) -> ProcessReport:
        """Return the revision in use, and the one that was refused since, if any."""
        return ProcessReport(
            revision=None if self.current is None else self.current.revision,
            refused=None if self._refused is None else self._refused.revision,
            error=None if self._refused is None else self._refused.error,
            in_flight=in_flight,
        )

    async def run(self) -> None:
        """Poll the folder until cancelled: one ``readlink`` each time, and a thread for a new revision."""
        while True:
            await self.check()
            await asyncio.sleep(_POLL_SECONDS)

    async def check(self) -> None:
        """Load the current revision if it is new, or retry it if it was refused a while ago."""
        revision = folder.current(self._bundle_dir)
        if revision is None or not self._wanted(revision):
            return
        began = time.monotonic()
        try:
            value = await asyncio.to_thread(self._load, revision)
        except (BundleError, OSError) as error:
            self._refuse(Refused(revision=revision, error=str(error)))
            return
        before, self.current, self._refused = self.current, value, None
        self._on_change(Loaded(value=value, before=before, seconds=time.monotonic() - began))

    def _load(self, revision: str) -> T:
        bundle = unpack(folder.read(self._bundle_dir, revision))
        if bundle.meta.revision != revision:
            raise BundleError(f"the folder of revision {revision} holds {bundle.meta.revision}")
        return self._build(bundle)

    def _wanted(self, revision: str) -> bool:
        if self.current is not None and self.current.revision == revision:
            self._refused = None
            return False
        again = self._refused is not None and self._refused.revision == revision
        return not again or time.monotonic() >= self._retry_at

    def _refuse(self, refused: Refused) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if refused != self._refused:
            self._refused = refused
            self._on_change(refused)
