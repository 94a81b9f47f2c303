"""How many requests each target has in flight in this process."""


class Loads:
    """Counts attempts from their beginning to the end of their answer; idle targets take no memory."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}

    def of(self, target: str) -> int:
        """Return how many attempts at a target are running."""
        return self._running.get(target, 0)

    def enter(self, target: str) -> None:
        """Add one attempt."""
        self._running[target] = self._running.get(target, 0) + 1

    def leave(self, target: str) -> None:
        """Remove one attempt."""
        left = self._running[target] - 1
        if left:
            self._running[target] = left
        else:
            del self._running[target]
