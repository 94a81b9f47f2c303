"""Sessions that left an ejected target: they stay where they went, because the prompt cache is there now.

Another pod does not know of it: there, the session is at the target that hashing names, once that is well again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from claude_gateway_proxy.gateway.routing.affinity import Key

KEPT_SECONDS: Final = 3600.0
"""How long after its last request a session is remembered; no prompt cache of Anthropic's lives longer."""

MOST: Final = 8192
"""Sessions that are remembered; the one whose last request was longest ago is forgotten first."""

Session = tuple[str, str, Key]
"""A route, the rule of it that matched (empty: none) and a key."""


class Moves:
    """The memory of one process; ``clock`` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._moved: OrderedDict[Session, tuple[str, float]] = OrderedDict()

    def target_of(self, session: Session) -> str | None:
        """Return the name of the target that a session moved to."""
        found = self._moved.get(session) if self._moved else None
        return found[0] if found is not None and self._clock() < found[1] else None

    def answered(self, session: Session, target: str, *, moved: bool) -> None:
        """Note who answered a session's request; ``moved``: the session's own target is ejected, and this is the next.

        A request that overflowed or failed over to yet another target does not take its session along.
        """
        if not moved and self.target_of(session) != target:
            return
        self._moved[session] = (target, self._clock() + KEPT_SECONDS)
        self._moved.move_to_end(session)
        if len(self._moved) > MOST:
            self._moved.popitem(last=False)
