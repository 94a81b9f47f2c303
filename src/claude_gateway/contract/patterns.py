"""Model names with stars: ``*`` matches any run of characters, and everything else only itself.

The planner and the gateway match names with this module alone, in linear time.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

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
    def of(cls, text: str) -> "Pattern":
        """Cut a pattern that has at least one star."""
        head, *rest = text.split(STAR)
        rank = (len(rest) - len(text), len(rest), text)
        return cls(rank=rank, head=head, middle=tuple(part for part in rest[:-1] if part), tail=rest[-1])

    def matches(self, name: str) -> bool:
        """Return whether the whole name matches. Linear: each middle part is searched for once, leftmost first.

        The name may itself be a pattern: it matches if everything that it stands for does.
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


class Patterns(Generic[T]):
    """A map of patterns to values that is searched by their literal prefixes instead of one by one."""

    def __init__(self) -> None:
        """Start without any pattern."""
        self._heads: dict[str, list[tuple[Pattern, T]]] = defaultdict(list)
        self._lengths: dict[int, None] = {}

    def add(self, text: str, value: T) -> None:
        """Add a pattern that has at least one star."""
        pattern = Pattern.of(text)
        self._heads[pattern.head].append((pattern, value))
        self._lengths[len(pattern.head)] = None

    def candidates(self, name: str) -> Iterator[tuple[Pattern, T]]:
        """Yield each pattern that a name begins like, and its value; whether it matches is for the caller to ask."""
        for length in self._lengths:
            if length <= len(name):
                yield from self._heads.get(name[:length], ())


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is this name, or matches this pattern."""
    return Pattern.of(pattern).matches(name) if STAR in pattern else pattern == name
