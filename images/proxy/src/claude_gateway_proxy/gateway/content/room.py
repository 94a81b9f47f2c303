"""Limits how much of a text is shown, and marks where it was cut."""

from typing import Any, Final

import msgspec

_EACH: Final = 64
"""Characters that each message and part counts in addition to its text, so that many empty ones are limited, too."""
_WORD: Final = 4096
"""The longest word that is removed completely at a cut, in characters, so that no half of a key remains."""
_NAME: Final = 256


class Room:
    """The room for one attribute. ``cut`` once something was left out."""

    def __init__(self, most: int) -> None:
        """Limit the text to this many characters."""
        self._left = most
        self.cut = False

    def enter(self) -> bool:
        """Take the room of one message or part; False if there is none left."""
        if self._left < _EACH:
            self.cut = True
            return False
        self._left -= _EACH
        return True

    def text(self, value: object) -> str:
        """Return as much of a text as there is room for; a text is cut between two words."""
        text = value if isinstance(value, str) else ""
        if len(text) <= self._left:
            self._left -= len(text)
            return text
        kept = _whole_words(text[: self._left])
        self._left, self.cut = 0, True
        return f"{kept}[{len(text) - len(kept)} characters cut]"

    def json(self, value: object) -> Any:
        """Return a JSON value, as its text where that must be cut. Raises RecursionError if it is nested too deeply."""
        if isinstance(value, str):
            return self.text(value)
        text = msgspec.json.encode(value).decode()
        if len(text) > self._left:
            return self.text(text)
        self._left -= len(text)
        return value

    def name(self, value: object) -> str:
        """Return a short text, such as an id."""
        text = value if isinstance(value, str) else ""
        self.cut = self.cut or len(text) > _NAME
        return text[:_NAME]


def _whole_words(text: str) -> str:
    """Return a cut text without its last word, which may be half of one."""
    end = text[-_WORD:]
    words = end.rsplit(None, 1)
    if len(words) == 2 or end[-1:].isspace():
        return text[: len(text) - len(words[-1])] if not end[-1:].isspace() else text
    return text[: len(text) - len(end)]
