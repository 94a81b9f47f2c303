"""Remembers the slices of the revisions that a proxy pod may serve, so that its report can be compared with them."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.plan.slices import Slices

LOADING_SECONDS: Final = 60.0
"""How long a pod may take to load a revision: one that was replaced meanwhile may still be reported."""
MOST_LOADING: Final = 16
"""Replaced revisions that are kept for that reason: a series of edits writes several in a second."""


@dataclass(slots=True)
class Revisions:
    """The slices of each revision that a pod serves or may be loading. ``newest`` is the one written last."""

    clock: Callable[[], float] = time.monotonic
    newest: str | None = None
    _slices: dict[str, Slices] = field(default_factory=dict)
    _replaced: dict[str, float] = field(default_factory=dict)

    def known(self) -> Mapping[str, Slices]:
        """Return the slices by revision."""
        return dict(self._slices)

    def found(self, revision: str, slices: Slices) -> None:
        """Add the revision that an earlier operator wrote."""
        self._slices[revision] = slices
        self._replaced[revision] = self.clock()

    def wrote(self, revision: str, slices: Slices, *, served: Collection[str]) -> None:
        """Add the revision that was written, and forget those that no pod serves or can still be loading.

        ``served`` are the revisions that pods report.
        """
        now = self.clock()
        if self.newest is not None and self.newest != revision:
            # Inserted again, so that the revisions are in the order in which they were replaced.
            self._replaced.pop(self.newest, None)
            self._replaced[self.newest] = now
        self.newest = revision
        self._replaced.pop(revision, None)
        recent = [each for each, at in self._replaced.items() if now - at < LOADING_SECONDS][-MOST_LOADING:]
        kept = {revision, *served, *recent}
        self._slices = {each: parts for each, parts in self._slices.items() if each in kept} | {revision: slices}
        self._replaced = {each: at for each, at in self._replaced.items() if each in self._slices}
