"""How far a JSON value has come that arrives in pieces, found in time linear in its length."""

import re
from typing import Final

_MARKS: Final = re.compile(r'["\\{}\[\]]')
_BLANK: Final = " \t\r\n"


class Progress:
    """Follows one JSON value. ``kind`` is its first character, empty before it; ``complete``: the value has ended.

    Only objects, lists and strings can be seen to end.
    """

    __slots__ = ("_depth", "_in_string", "_skip", "complete", "kind")

    def __init__(self) -> None:
        """Begin before the first character."""
        self._depth = 0
        self._in_string = False
        self._skip = False
        self.kind = ""
        self.complete = False

    @property
    def open(self) -> bool:
        """Whether an object, a list or a string has begun and not ended."""
        return self.kind in ("{", "[", '"') and not self.complete

    def feed(self, text: str) -> str:
        """Read a piece; return what of it is behind the end of the value."""
        if not self.kind:
            text = text.lstrip(_BLANK)
            self.kind = text[:1]
        if self.complete:
            return text
        after = 1 if self._skip and text else 0
        self._skip = self._skip and not text
        for mark in _MARKS.finditer(text):
            at = mark.start()
            if at < after:
                continue
            if self._in_string:
                if mark[0] == "\\":
                    after = at + 2
                    self._skip = after > len(text)
                elif mark[0] == '"':
                    self._in_string = False
            else:
                self._structure(mark[0])
            if self._depth == 0 and not self._in_string and self.kind in ("{", "[", '"'):
                self.complete = True
                return text[at + 1 :]
        return ""

    def _structure(self, mark: str) -> None:
        if mark == '"':
            self._in_string = True
        elif mark in "{[":
            self._depth += 1
        elif mark in "}]" and self._depth:
            self._depth -= 1
