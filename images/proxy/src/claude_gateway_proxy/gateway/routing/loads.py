"""How many requests each target has in flight in this process."""


class Loads:
    """Counts tries from their beginning to the end of their answer; targets without any take no memory."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}

    def of(self, target: str) -> int:
        """Return how many tries at a target are running."""
        return self._running.get(target, 0)

    def enter(self, target: str) -> None:
        """Count one more."""
        self._running[target] = self._running.get(target, 0) + 1

    def leave(self, target: str) -> None:
        """Count one less."""
        left = self._running[target] - 1
        if left:
            self._running[target] = left
        else:
            del self._running[target]
