"""Values of requests as metric labels: a bounded number of them, and one value for all others."""

from typing import Final

OTHER: Final = "other"
"""The label of every value beyond the bound."""

_LONGEST: Final = 64


class Bounded:
    """Remembers the first ``most`` values; created once per label."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._words: set[str] = set()

    def of(self, word: str) -> str:
        """Return the value, or ``OTHER`` if it is too long or beyond the bound."""
        if word in self._words:
            return word
        if len(word) > _LONGEST or len(self._words) >= self._most or not word.isprintable():
            return OTHER
        self._words.add(word)
        return word
