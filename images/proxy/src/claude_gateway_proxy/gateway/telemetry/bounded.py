"""Words of requests as values of labels: as many as fit, and one word for all others."""

from typing import Final

OTHER: Final = "other"
"""Stands for every word beyond the bound."""

_LONGEST: Final = 64


class Bounded:
    """Remembers the first ``most`` words; made once per label."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._words: set[str] = set()

    def of(self, word: str) -> str:
        """Return a word, or ``OTHER`` for one that is too long or one too many."""
        if word in self._words:
            return word
        if len(word) > _LONGEST or len(self._words) >= self._most or not word.isprintable():
            return OTHER
        self._words.add(word)
        return word
