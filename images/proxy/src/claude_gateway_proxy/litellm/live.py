"""The targets in force: a table swapped whole when the bundle folder names a new revision.

Gateway and worker follow the same folder, each at its own pace. A target that the gateway knows first is waited for;
one that only an older revision had still serves the requests that began with that revision.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import BundleError, unpack
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.report import ProcessReport
from claude_gateway_proxy.litellm.targets import Table, Target, build

WAIT_SECONDS: Final = 5.0
"""How long a request waits for a target that is not known yet."""

_POLL_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 2.0
_KEPT_SECONDS: Final = 600.0
_KEPT_MOST: Final = 5_000
"""How long, and how many, targets that are no longer configured are kept for requests that began with them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A new table is in force; ``seconds`` is what it took to read and build it."""

    table: Table
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A revision could not be loaded; what was in force stays so."""

    revision: str
    error: str


class Live:
    """Follows a bundle folder. A revision that cannot be loaded leaves the one before in force."""

    def __init__(self, bundle_dir: Path, *, on_change: Callable[[Loaded | Refused], None]) -> None:
        """Follow ``bundle_dir`` once ``run`` does; ``on_change`` is called in the event loop after each attempt."""
        self.table: Table | None = None
        self._bundle_dir = bundle_dir
        self._on_change = on_change
        self._refused: Refused | None = None
        self._retry_at = 0.0
        self._retired: dict[str, tuple[Target, float]] = {}
        self._changed = asyncio.Event()

    @property
    def egress(self) -> Egress:
        """The rule in force; before the first revision nothing but ordinary addresses is allowed."""
        return Egress() if self.table is None else self.table.egress

    def report(self, *, in_flight: int) -> ProcessReport:
        """What serves now, and what was refused since."""
        return ProcessReport(
            revision=None if self.table is None else self.table.revision,
            refused=None if self._refused is None else self._refused.revision,
            error=None if self._refused is None else self._refused.error,
            in_flight=in_flight,
        )

    async def target(self, ident: str) -> Target | None:
        """The target with this id, waited for a while if nobody knows it; None if it does not come."""
        end = time.monotonic() + WAIT_SECONDS
        while (found := self._find(ident)) is None:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                return None
        return found

    async def run(self) -> None:
        """Poll the folder until cancelled: one ``readlink`` each time, and a thread for what is new."""
        while True:
            await self.check()
            await asyncio.sleep(_POLL_SECONDS)

    async def check(self) -> None:
        """Load the current revision if it is new, or was refused a while ago."""
        revision = folder.current(self._bundle_dir)
        if revision is None or not self._wanted(revision):
            return
        began = time.monotonic()
        try:
            table = await asyncio.to_thread(load, self._bundle_dir, revision)
        except (BundleError, OSError) as error:
            self._refuse(Refused(revision=revision, error=str(error)))
            return
        now = time.monotonic()
        if self.table is not None:
            self._retired = retire(self._retired, old=self.table.targets, new=table.targets, now=now)
        self.table, self._refused = table, None
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change(Loaded(table=table, seconds=now - began))

    def _find(self, ident: str) -> Target | None:
        found = None if self.table is None else self.table.targets.get(ident)
        if found is None and ident in self._retired:
            found = self._retired[ident][0]
        return found

    def _wanted(self, revision: str) -> bool:
        if self.table is not None and self.table.revision == revision:
            self._refused = None
            return False
        again = self._refused is not None and self._refused.revision == revision
        return not again or time.monotonic() >= self._retry_at

    def _refuse(self, refused: Refused) -> None:
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        if refused != self._refused:
            self._refused = refused
            self._on_change(refused)


def load(bundle_dir: Path, revision: str) -> Table:
    """Read, verify and build one revision.

    Raises BundleError with the part and the reason, never a secret value; OSError as the file system does.
    """
    bundle = unpack(folder.read(bundle_dir, revision))
    if bundle.meta.revision != revision:
        raise BundleError(f"the folder of revision {revision} holds {bundle.meta.revision}")
    return build(bundle)


def retire(
    retired: Mapping[str, tuple[Target, float]],
    *,
    old: Mapping[str, Target],
    new: Mapping[str, Target],
    now: float,
) -> dict[str, tuple[Target, float]]:
    """What to keep of targets that are no longer configured: the newest ones, for a while."""
    kept = {ident: entry for ident, entry in retired.items() if ident not in new and now - entry[1] < _KEPT_SECONDS}
    kept |= {ident: (target, now) for ident, target in old.items() if ident not in new}
    return dict(list(kept.items())[-_KEPT_MOST:])
