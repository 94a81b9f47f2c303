"""Where bundles come from: the interface of a source, and the folder as one.

A source pushes its content whenever it changes, without acknowledgements: the newest offer replaces older ones. That
suits a folder as well as two watched objects of which either may change first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import BundleError, Packed
from claude_gateway.names import CURRENT

POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Offer:
    """The current content of a source: a packed bundle that is not verified yet, or why it has none.

    ``revision`` is what the source calls it, for reports; None if unknown.
    """

    revision: str | None = None
    packed: Packed | None = None
    error: str | None = None


class Source(Protocol):
    """Where bundles come from."""

    async def run(self, offer: Callable[[Offer], None]) -> None:
        """Call ``offer`` with the current content, and after every change, until cancelled."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Identifies a state of a source folder, also if a revision is written again under its old name."""

    revision: str | None
    inode: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder in the layout of ``contract.folder``, polled: a ``readlink`` and a ``stat`` each time.

    Polled and not watched, because that misses nothing on any file system, and costs microseconds.
    """

    path: Path
    poll_seconds: float = POLL_SECONDS

    async def run(self, offer: Callable[[Offer], None]) -> None:
        """Offer the current revision now and whenever ``current`` or what it names changes."""
        offered: _Stamp | None = None
        while True:
            stamp = self._stamp()
            if stamp != offered:
                found = await asyncio.to_thread(self._look, stamp)
                # A revision that was replaced while it was read is not reported: the next round finds its successor.
                if found.error is None or self._stamp() == stamp:
                    offered = stamp
                    offer(found)
            await asyncio.sleep(self.poll_seconds)

    def _stamp(self) -> _Stamp:
        try:
            revision = folder.current(self.path)
            state = (self.path / CURRENT).stat()
        except OSError:
            # Absent, dangling, not a folder, or unreadable: `_look` finds out which.
            return _Stamp(revision=None, inode=0, changed_ns=0)
        return _Stamp(revision=revision, inode=state.st_ino, changed_ns=state.st_ctime_ns)

    def _look(self, stamp: _Stamp) -> Offer:
        revision = stamp.revision
        try:
            revision = folder.current(self.path)
            if revision is None:
                return Offer(error=f"{self.path} holds no bundle yet")
            return Offer(revision=revision, packed=folder.read(self.path, revision))
        except (BundleError, OSError) as error:
            return Offer(revision=revision, error=f"the source cannot be read: {error}")
