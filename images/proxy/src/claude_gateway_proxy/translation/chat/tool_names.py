"""The names of a request's tools, as models and servers write them in a tool call."""

import re
from bisect import bisect_left, bisect_right
from typing import Final

_MARKS: Final = re.compile(r"\A(?:functions|default_api|tools)[.:]|<\|.*|:[0-9]{1,4}\Z", re.ASCII | re.DOTALL)
"""What models write around a tool's name: the group that their format puts tools in, tokens, and the call's number."""

_NAME_MOST: Final = 512
"""Characters up to which the pieces of a name are put together."""


class ToolNames:
    """The names of the tools that an upstream was sent. They are sorted when they are first needed."""

    __slots__ = ("_folded", "_names", "_sorted")

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._sorted: list[str] | None = None
        self._folded: dict[str, list[str]] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def begin_with(self, start: str, *, longer: bool = False) -> bool:
        """Return whether a name begins with a text; ``longer``: and is longer."""
        if self._sorted is None:
            self._sorted = sorted(self._names)
        at = (bisect_right if longer else bisect_left)(self._sorted, start)
        return at < len(self._sorted) and self._sorted[at].startswith(start)

    def meant(self, name: str) -> str:
        """Return the tool that a name means: some servers leave marks of the model's own format at it."""
        if name in self._names or not self._names:
            return name
        plain = _MARKS.sub("", name)
        if plain in self._names:
            return plain
        if self._folded is None:
            self._folded = {}
            for each in self._names:
                self._folded.setdefault(each.casefold(), []).append(each)
        alike = self._folded.get(plain.casefold(), ())
        return alike[0] if len(alike) == 1 else name

    def has_whole(self, name: str) -> bool:
        """Return whether nothing can follow a name: it is that of a tool, and no longer one begins with it."""
        return name in self._names and not self.begin_with(name, longer=True)

    def joined(self, name: str, piece: str, *, has_arguments: bool) -> str | None:
        """Return the name of a call after one more piece of it; None if the piece is the name of another call."""
        joined = name + piece
        is_whole = not name or name in self._names
        if name and not has_arguments and len(joined) <= _NAME_MOST:
            if self.begin_with(joined) and (not is_whole or piece not in self._names):
                return joined
            if not is_whole and piece != name:
                if piece.startswith(name):
                    # All of the name so far, in every piece.
                    return piece
                return None if piece in self._names else joined
        return piece if not name or piece == name else None
