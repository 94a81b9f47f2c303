"""When each client was last used: one memory per process, part of the agent's report."""

from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import ClientUse
from claude_gateway_runtime.bounded_dict import BoundedDict

_MOST: Final = 256
"""The most clients that are reported: those that were used last."""


class Uses:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: BoundedDict[str, float] = BoundedDict(_MOST)

    def note(self, client: str) -> None:
        """Record that a client sent a request."""
        self._last[client] = self._clock()

    def report(self) -> tuple[ClientUse, ...]:
        """Return the last use of each client."""
        return tuple(ClientUse(client=client, at=at) for client, at in self._last.items())
