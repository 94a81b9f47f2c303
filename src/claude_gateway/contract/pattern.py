"""Patterns of model names, in which ``*`` is any run of characters: matched in linear time, without backtracking.

Whoever writes a route or a client chooses the pattern, so no regular expression is made of it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

STAR: Final = "*"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern cut at its stars: ``head * middle * middle * tail``; the smallest rank is the most specific one."""

    rank: tuple[int, int, str]
    head: str
    middle: tuple[str, ...]
    tail: str

    @classmethod
    def of(cls, text: str) -> Self:
        """Cut a pattern that has at least one star."""
        head, *rest = text.split(STAR)
        rank = (len(rest) - len(text), len(rest), text)
        return cls(rank=rank, head=head, middle=tuple(part for part in rest[:-1] if part), tail=rest[-1])

    def matches(self, name: str) -> bool:
        """Return whether the whole name fits. Each middle part is looked for once, leftmost first.

        Of another pattern in place of a name, this says whether every name that fits that one fits this one too: no
        literal part contains a star, so a star in ``name`` can only be covered by a star.
        """
        end = len(name) - len(self.tail)
        at = len(self.head)
        if at > end or not name.startswith(self.head) or not name.endswith(self.tail):
            return False
        for part in self.middle:
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True


def matches(pattern: str, name: str) -> bool:
    """Return whether a name, or every name of another pattern, fits a pattern; without ``*`` it is one exact name."""
    return Pattern.of(pattern).matches(name) if STAR in pattern else pattern == name


class Patterns(Generic[T]):
    """Many patterns with what each stands for, found by their literal heads rather than one by one."""

    def __init__(self, named: Iterable[tuple[str, T]]) -> None:
        """Index pairs of a pattern, which has a star, and what it stands for."""
        heads: dict[str, list[tuple[Pattern, T]]] = defaultdict(list)
        for text, value in named:
            pattern = Pattern.of(text)
            heads[pattern.head].append((pattern, value))
        self._heads = {head: tuple(sorted(found, key=lambda each: each[0].rank)) for head, found in heads.items()}
        self._lengths = tuple(sorted({len(head) for head in heads}))

    def best(self, name: str) -> tuple[Pattern, T] | None:
        """Return the most specific pattern that the name fits, and what it stands for."""
        best: tuple[Pattern, T] | None = None
        for length in self._lengths:
            if length > len(name):
                break
            for found in self._heads.get(name[:length], ()):
                if best is not None and best[0].rank < found[0].rank:
                    break
                if found[0].matches(name):
                    best = found
                    break
        return best
