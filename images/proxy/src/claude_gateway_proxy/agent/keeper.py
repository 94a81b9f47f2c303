"""Keeps the run directory's bundle: verifies what the source offers and swaps it in, or keeps the last good one."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError, Packed, needed, unpack
from claude_gateway.names import CURRENT, GATEWAY_JSON
from claude_gateway_proxy import policy_document
from claude_gateway_proxy.agent.source import Offer, Source
from claude_gateway_runtime.logs import emit

RETRY_SECONDS: Final = (0.2, 1.0, 5.0)
"""Pauses before an offer that the file system refused is written again; the last one repeats."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """``revision`` is the one in the run directory, ``wanted`` the newest offered, ``error`` why they differ."""

    revision: str | None = None
    wanted: str | None = None
    error: str | None = None


def verify(packed: Packed) -> Bundle:
    """Unpack a bundle and check that its policy can be read and that it has every secret that the policy names.

    Call it in a thread of its own: it pauses. The gateway would refuse a bad bundle, too, but a restarted gateway would
    then find no good one. Raises BundleError; its message contains no value of the bundle.
    """
    bundle = unpack(packed)
    policy, routes = policy_document.read(bundle.gateway)
    named = [
        policy.client_keys,
        *(entry for client in policy.clients for entry in client.entries),
        *(entry for route, _ in routes for target in route.all_targets for entry in target.entries),
    ]
    for entry in named:
        if entry is not None and entry not in bundle.secrets:
            raise BundleError(f"{GATEWAY_JSON} names the secret entry {entry}, which the bundle does not hold")
    return bundle


class Keeper:
    """Owns ``run_dir/bundle``; ``changed`` is called after each change of ``kept``."""

    def __init__(self, path: Path, *, changed: Callable[[], None]) -> None:
        """Find the last good bundle of an earlier run in ``path``, and remove everything else.

        Raises OSError if the folder cannot be made.
        """
        self.swaps = 0
        self.refusals = 0
        self._path = path
        self._changed = changed
        self._newest: Offer | None = None
        self._arrived = asyncio.Event()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kept = Kept(revision=_last_good(path))

    async def run(self, source: Source) -> None:
        """Process offers until cancelled; only the newest one counts."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(source.run(self._offer))
            tasks.create_task(self._keep())

    def _offer(self, offer: Offer) -> None:
        self._newest = offer
        self._arrived.set()

    async def _keep(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            attempt = 0
            while self._newest is not None and not await self._take(self._newest):
                wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                attempt += 1
                try:
                    await asyncio.wait_for(self._arrived.wait(), wait)
                except TimeoutError:
                    continue
                self._arrived.clear()
                attempt = 0

    async def _take(self, offer: Offer) -> bool:
        """Swap one offer in, or record why not; False requests another attempt with the same offer."""
        wanted = offer.revision
        if offer.packed is None:
            self._without(wanted=wanted or self.kept.wanted, error=offer.error or "the source has no bundle")
            return True
        try:
            revision = await asyncio.to_thread(self._swap, offer.packed)
        except BundleError as error:
            self._refuse(wanted=wanted, error=str(error))
            return True
        except OSError as error:
            self._refuse(wanted=wanted, error=f"the bundle cannot be written: {error}")
            return False
        before, self.kept = self.kept, Kept(revision=revision, wanted=revision)
        if before.revision != revision:
            self.swaps += 1
            emit(_log, "bundle_swapped", revision=revision, before=before.revision)
        self._changed()
        return True

    def _swap(self, packed: Packed) -> str:
        meta = verify(packed).meta
        return folder.write_packed(self._path, needed(packed, meta), revision=meta.revision)

    def _refuse(self, *, wanted: str | None, error: str) -> None:
        """Report a bundle that cannot be used; the same problem is not reported twice."""
        if self._fault(wanted=wanted, error=error):
            self.refusals += 1
            kept = self.kept.revision
            emit(_log, "bundle_refused", level=logging.ERROR, revision=wanted, kept=kept, error=error)

    def _without(self, *, wanted: str | None, error: str) -> None:
        """Report that the source has no bundle, as before its first one."""
        if self._fault(wanted=wanted, error=error):
            emit(_log, "bundle_missing", kept=self.kept.revision, error=error)

    def _fault(self, *, wanted: str | None, error: str) -> bool:
        kept = Kept(revision=self.kept.revision, wanted=wanted, error=error)
        if kept == self.kept:
            return False
        self.kept = kept
        self._changed()
        return True


def _last_good(path: Path) -> str | None:
    """Return the revision that an earlier run left; a damaged one is unlinked, so that no process tries to load it."""
    revision = folder.current(path)
    if revision is None:
        return None
    try:
        verify(folder.read(path, revision))
    except BundleError as error:
        emit(_log, "bundle_damaged", level=logging.ERROR, revision=revision, error=str(error))
        (path / CURRENT).unlink()
        return None
    return revision
