"""The current targets, and older ones that requests may still need.

Gateway and worker follow the same folder, each at its own pace. A request waits for a target that only the gateway
knows yet; a target of an older revision still serves the requests that began with that revision.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.report import ProcessReport
from claude_gateway_proxy.litellm.targets import Table, Target, build
from claude_gateway_runtime.follower import Follower, Loaded, Refused

WAIT_SECONDS: Final = 5.0
"""How long a request waits for a target that is not known yet."""

_KEPT_SECONDS: Final = 600.0
_KEPT_MOST: Final = 5_000
"""How long, and how many, targets that are no longer configured are kept for requests that began with them."""


class Live:
    """The newest table, and for a while the targets that only older ones had."""

    def __init__(self, bundle_dir: Path, *, on_change: Callable[[Loaded[Table] | Refused], None]) -> None:
        """Follow ``bundle_dir`` once ``run`` does; ``on_change`` is called in the event loop after each attempt."""
        self._follower = Follower(bundle_dir, build=build, on_change=self._took)
        self._on_change = on_change
        self._retired: dict[str, tuple[Target, float]] = {}
        self._changed = asyncio.Event()

    @property
    def egress(self) -> Egress:
        """The current rule; before the first revision, only ordinary addresses are allowed."""
        table = self._follower.current
        return Egress() if table is None else table.egress

    def report(self, *, in_flight: int) -> ProcessReport:
        """Return the revision in use, and the one that was refused since, if any."""
        return self._follower.report(in_flight=in_flight)

    async def target(self, ident: str) -> Target | None:
        """Return the target with this id, waiting for an unknown one for a while; None if it does not appear."""
        end = time.monotonic() + WAIT_SECONDS
        while (found := self._find(ident)) is None:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                return None
        return found

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._follower.run()

    async def check(self) -> None:
        """Check once."""
        await self._follower.check()

    def _took(self, change: Loaded[Table] | Refused) -> None:
        if isinstance(change, Loaded):
            if change.before is not None:
                self._retired = retire(
                    self._retired, old=change.before.targets, new=change.value.targets, now=time.monotonic()
                )
            self._changed.set()
            self._changed = asyncio.Event()
        self._on_change(change)

    def _find(self, ident: str) -> Target | None:
        table = self._follower.current
        found = None if table is None else table.targets.get(ident)
        if found is None and ident in self._retired:
            found = self._retired[ident][0]
        return found


def retire(
    retired: Mapping[str, tuple[Target, float]],
    *,
    old: Mapping[str, Target],
    new: Mapping[str, Target],
    now: float,
) -> dict[str, tuple[Target, float]]:
    """Return the targets to keep although they are no longer configured: the newest ones, for a while."""
    kept = {ident: entry for ident, entry in retired.items() if ident not in new and now - entry[1] < _KEPT_SECONDS}
    kept |= {ident: (target, now) for ident, target in old.items() if ident not in new}
    return dict(list(kept.items())[-_KEPT_MOST:])
