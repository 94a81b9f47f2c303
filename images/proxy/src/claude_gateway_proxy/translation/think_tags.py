"""Reasoning within the text: servers without a parser for it send it in ``<think>`` tags at the beginning.

Tags count at the beginning of an answer alone: a model that writes about them later means the text.
"""

from typing import Final

_PAIRS: Final = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"))
_BLANK: Final = " \t\r\n"
_BLANK_MOST: Final = 256
"""Characters before a tag."""


class ThinkTags:
    """Tells the reasoning of one answer from its text, in pieces that may cut a tag."""

    __slots__ = ("_close", "_held", "_state")

    def __init__(self) -> None:
        """Begin before the first piece."""
        self._state = "start"
        self._close = ""
        self._held = ""

    @property
    def is_text(self) -> bool:
        """Whether everything from now on is text."""
        return self._state == "text"

    def reasoned(self) -> None:
        """Record that the server separates reasoning and text itself."""
        if self._state == "start" and not self._held:
            self._state = "text"

    def read(self, text: str) -> list[tuple[str, str]]:
        """Return the pieces of reasoning ("thinking") and of text ("text") that a piece of the answer completes."""
        if self._state == "text":
            return [("text", text)]
        text, self._held = self._held + text, ""
        if self._state == "start":
            return self._start(text)
        if self._state == "after":
            return self._after(text)
        return self._thinking(text)

    def rest(self) -> list[tuple[str, str]]:
        """Return what was held back. What follows, such as text behind a call, is read as text."""
        held, self._held = self._held, ""
        kind = "thinking" if self._state == "thinking" else "text"
        self._state = "thinking" if self._state == "thinking" else "text"
        return [(kind, held)] if held and (kind == "thinking" or held.strip()) else []

    def _start(self, text: str) -> list[tuple[str, str]]:
        begun = text.lstrip(_BLANK)
        for tag, close in _PAIRS:
            if begun.startswith(tag):
                self._state, self._close = "thinking", close
                return self._thinking(begun[len(tag) :].lstrip(_BLANK))
        if len(text) < _BLANK_MOST and any(tag.startswith(begun) for tag, _ in _PAIRS):
            # Nothing but blanks so far, or a tag that may be cut.
            self._held = text
            return []
        self._state = "text"
        return [("text", text)]

    def _thinking(self, text: str) -> list[tuple[str, str]]:
        at = text.find(self._close)
        if at >= 0:
            self._state = "after"
            thought = text[:at].rstrip(_BLANK)
            said = [("thinking", thought)] if thought else []
            return said + self._after(text[at + len(self._close) :])
        sizes = range(min(len(self._close) - 1, len(text)), 0, -1)
        held = next((size for size in sizes if self._close.startswith(text[-size:])), 0)
        text, self._held = text[: len(text) - held], text[len(text) - held :]
        return [("thinking", text)] if text else []

    def _after(self, text: str) -> list[tuple[str, str]]:
        """Drop the blank lines between the reasoning and the text."""
        text = text.lstrip(_BLANK)
        if not text:
            return []
        self._state = "text"
        return [("text", text)]
