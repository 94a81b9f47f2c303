"""Sessions that left an ejected target: they stay at their new target, because the prompt cache is there now.

Other pods do not know this: there, the session returns to the target that hashing selects once that is healthy.
"""

from collections.abc import Callable
from typing import Final

from claude_gateway_proxy.gateway.routing.affinity import Key
from claude_gateway_runtime.bounded_dict import BoundedDict

KEPT_SECONDS: Final = 3600.0
"""How long after its last request a session is remembered; no prompt cache of Anthropic's lives longer."""

MOST: Final = 8192
"""The most sessions that are remembered; the least recently used one is evicted first."""

Session = tuple[str, str, Key]
"""A route, the rule of it that matched (empty: none) and a key."""


class Moves:
    """The memory of one process; ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moved: BoundedDict[Session, tuple[str, float]] = BoundedDict(MOST)

    def target_of(self, session: Session) -> str | None:
        """Return the name of the target that a session moved to."""
        found = self._moved.get(session) if self._moved else None
        return found[0] if found is not None and self._clock() < found[1] else None

    def answered(self, session: Session, target: str, *, moved: bool) -> None:
        """Record which target answered a session's request; ``moved``: its own is ejected, and this is the next one.

        A request that overflowed or failed over to yet another target does not take its session along.
        """
        if not moved and self.target_of(session) != target:
            return
        self._moved[session] = (target, self._clock() + KEPT_SECONDS)
