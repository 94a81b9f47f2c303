"""How far a JSON value has come that arrives in pieces, and what models get wrong about JSON, put right on the way.

Models write line breaks and tabs into strings as they are, escapes that JSON does not have (``\\d``), commas behind the
last member, and Python's words and quotes. Clients' readers accept none of it. Each piece is read once.
"""

import re
from typing import Final

_BLANKS: Final = re.compile(r"[ \t\r\n\ufeff]*+")
_NEXT: Final = re.compile(r"[^ \t\r\n]")
_OUTSIDE: Final = re.compile(r"[\"'{}\[\],]|-[A-Za-z]*|[A-Za-z]+")
_ESCAPE: Final = r'\\(?:["\\/bfnrt]|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]|[Dd][0-7])[0-9A-Fa-f]{2}'
_PAIR: Final = r"|u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})"
_INSIDE: Final = {
    '"': re.compile(rf'(?:[^"\\\x00-\x1f]+|{_ESCAPE}{_PAIR}){{0,64}}'),
    "'": re.compile(rf"(?:[^'\"\\\x00-\x1f]+|{_ESCAPE}{_PAIR}){{0,64}}"),
}
"""What of a string may stay as it is, by the quote that began it; bounded, since the reader keeps its way back."""

_CUT: Final = re.compile(
    r"\\(?:u(?:[0-9A-Fa-f]{0,3}|[Dd][89ABab][0-9A-Fa-f]{2}(?:\\(?:u(?:[Dd](?:[C-Fc-f][0-9A-Fa-f]?)?)?)?)?)?)?\Z"
)
"""An escape, or a pair of them, that goes on in the next piece."""

_HALF: Final = re.compile(r"\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}")
_CONTROLS: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_WORDS: Final = {
    **dict.fromkeys(("None", "undefined", "NaN", "Infinity", "-Infinity"), "null"),
    "True": "true",
    "False": "false",
}
"""Words that JSON does not have, of Python and JavaScript."""


class Progress:
    """Follows one JSON value. ``kind`` is its first character, empty before it; ``complete``: the value has ended.

    Only objects, lists and strings can be seen to end, and only objects and lists are mended. What is mended is JSON
    where the model got nothing else wrong.
    """

    __slots__ = ("_comma", "_depth", "_held", "_quote", "complete", "kind")

    def __init__(self) -> None:
        """Begin before the first character."""
        self._depth = 0
        self._quote = ""
        self._comma = False
        self._held = ""
        self.kind = ""
        self.complete = False

    @property
    def open(self) -> bool:
        """Whether an object, a list or a string has begun and not ended."""
        return self.kind in ("{", "[", '"') and not self.complete

    def feed(self, text: str, at: int = 0) -> tuple[str, int]:
        """Read a piece from a place on; return it mended, and the place behind the end of the value, or of the piece.

        What may be the beginning of something that must be mended waits for the next piece.
        """
        if self._held:
            text, at, before, self._held = self._held + text[at:], 0, len(self._held) - at, ""
        else:
            before = 0
        if not self.kind:
            at = _BLANKS.match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too
            self.kind = text[at : at + 1]
        if self.complete or self.kind not in ("{", "[", '"'):
            return ("" if self.complete else text[at:]), (at if self.complete else len(text)) - before
        found: list[str] = []
        start = place = at
        while place < len(text) and not self.complete:
            read = self._inside if self._quote else self._outside
            kept, place, instead = read(text, place)
            if instead is not None:
                found += [text[start:kept], instead]
                start = place
        found.append(text[start : place - len(self._held)])
        return "".join(found) if len(found) > 1 else found[0], place - before

    def _outside(self, text: str, at: int) -> tuple[int, int, str | None]:
        """Read up to the next mark outside of strings; return where it is, what is behind it, and what to write."""
        if self._comma:
            following = _NEXT.search(text, at)
            if following is None:
                return at, len(text), None
            self._comma = False
            if following[0] not in "}]":
                return following.start(), following.start(), ","
        mark = _OUTSIDE.search(text, at)
        if mark is None:
            return at, len(text), None
        start, end, word = mark.start(), mark.end(), mark[0]
        if word in ('"', "'"):
            self._quote = word
            return start, end, None if word == '"' else '"'
        if word == ",":
            following = _NEXT.search(text, end)
            self._comma = following is None
            return start, end, None if following is not None and following[0] not in "}]" else ""
        if word in ("{", "["):
            self._depth += 1
        elif word in ("}", "]"):
            self._depth -= 1
            self.complete = self._depth <= 0
        elif word in _WORDS:
            return start, end, _WORDS[word]
        elif end == len(text) and any(each.startswith(word) for each in _WORDS):
            self._held = word
        return start, end, None

    def _inside(self, text: str, at: int) -> tuple[int, int, str | None]:
        """Read up to the end of a string, or to what must be mended in it."""
        start = _INSIDE[self._quote].match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too
        if start == len(text) or start > at:
            return start, start, None
        mark = text[start]
        if mark == self._quote:
            self._quote = ""
            self.complete = self._depth == 0
            return start, start + 1, None if mark == '"' else '"'
        if mark == '"':
            return start, start + 1, '\\"'
        if mark != "\\":
            plain = self.kind == '"'
            return start, start + 1, None if plain else _CONTROLS.get(mark) or f"\\u{ord(mark):04x}"
        return self._escape(text, start)

    def _escape(self, text: str, at: int) -> tuple[int, int, str | None]:
        if _CUT.match(text, at):
            self._held = text[at:]
            return at, len(text), None
        if self.kind == '"':
            return at, at + 2, None
        if half := _HALF.match(text, at):
            return at, half.end(), "\\ufffd"
        if self._quote == "'" and text[at + 1] == "'":
            return at, at + 2, "'"
        return at, at + 1, "\\\\"
