"""A mapping of bounded size, for what a process remembers of clients, targets and names that others choose."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedDict(OrderedDict[K, V]):
    """At most ``most`` entries: the one that was set or used least recently is evicted first.

    Setting an entry counts as its use, reading it does not: see ``used``.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

    def used(self, key: K) -> V | None:
        """Return an entry and count this as its use; None if there is none."""
        found = self.get(key)
        if found is not None:
            self.move_to_end(key)
        return found
