"""A tool call while its arguments arrive."""

from dataclasses import dataclass, field
from typing import Final

from claude_gateway_proxy.translation.progress import Progress
from claude_gateway_proxy.translation.schema.nulls import without_nulls
from claude_gateway_proxy.translation.schema.values import Schema

_NOTHING: Final = ("", "{}", '""', "null")
"""Arguments that say nothing."""


@dataclass(slots=True)
class OpenCall:
    """A tool call that has not ended, and what of its arguments is not written.

    The arguments of a strict tool whose ``schema`` has optional properties are written at once, without the nulls that
    stand for what is absent.
    """

    ident: str
    name: str
    schema: Schema | None = None
    _waiting: list[str] = field(default_factory=list)
    _is_written: bool = False
    _progress: Progress = field(default_factory=Progress)

    @property
    def complete(self) -> bool:
        """Whether the arguments are one whole object."""
        return self._progress.kind == "{" and self._progress.complete

    def add(self, text: str) -> None:
        """Append a piece of the arguments."""
        if not self._is_written and len(self._waiting) == 1 and self._waiting[0] in _NOTHING:
            # Some servers begin with an empty object and send the real one after it.
            self._waiting, self._progress = [], Progress()
        self._progress.feed(text)
        self._waiting.append(text)

    def unwritten(self, *, last: bool = False) -> str:
        """Return what has not been written, and count it as written; empty while the arguments say nothing."""
        if self.schema is not None and not (last or self.complete):
            return ""
        if not self._is_written and len(self._waiting) == 1 and self._waiting[0] in _NOTHING:
            return ""
        text = "".join(self._waiting)
        self._waiting.clear()
        if self.schema is not None:
            text = without_nulls(text, self.schema)
        self._is_written = self._is_written or bool(text)
        return text
