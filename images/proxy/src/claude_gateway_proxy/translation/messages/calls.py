"""A tool call while its arguments arrive."""

from dataclasses import dataclass
from typing import Final

import msgspec

_NOTHING: Final = ("{}", '""', "null")
"""Arguments that say nothing."""


@dataclass(slots=True)
class OpenCall:
    """A tool call that has not ended: all ``arguments`` so far, of which ``written`` characters are written."""

    ident: str
    name: str
    arguments: str = ""
    written: int = 0

    @property
    def complete(self) -> bool:
        """Whether the arguments are one whole object."""
        try:
            return isinstance(msgspec.json.decode(self.arguments), dict)
        except (msgspec.DecodeError, RecursionError):
            return False

    def add(self, text: str) -> None:
        """Append a piece of the arguments."""
        if self.written == 0 and self.arguments in _NOTHING:
            # Some servers begin with an empty object and send the real one after it.
            self.arguments = ""
        self.arguments += text

    def unwritten(self) -> str:
        """Return what has not been written, and count it as written; empty while the arguments say nothing."""
        text = self.arguments[self.written :]
        if not text or self.arguments in _NOTHING:
            return ""
        self.written = len(self.arguments)
        return text
