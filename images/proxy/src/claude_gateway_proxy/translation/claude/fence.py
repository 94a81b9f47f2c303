"""The Markdown fence that a model may put around JSON although only JSON was requested."""

from typing import Final

_FENCE: Final = "```"
_LINE_MOST: Final = 32
"""Characters of the line that opens a fence."""


class Fence:
    """Takes a fence off a text that arrives in pieces; a text without one stays as it is."""

    def __init__(self) -> None:
        """Begin at the start of the text."""
        self._held = ""
        self._begun = False
        self._fenced = False

    def feed(self, text: str) -> str:
        """Return what of the text so far is certain to belong to the content."""
        text, self._held = self._held + text, ""
        if not self._begun:
            text = self._opened(text)
        if not self._fenced or not self._begun:
            return text
        # The end of the text may be the fence that closes.
        kept = text.rstrip("` \t\r\n")
        self._held = text[len(kept) :]
        return kept

    def rest(self) -> str:
        """Return what was held back, at the end of the text."""
        held, self._held = self._held, ""
        return held.partition(_FENCE)[0].rstrip() if self._fenced else held

    def _opened(self, text: str) -> str:
        """The text behind an opening fence; nothing while there may be one."""
        start = text.lstrip()
        if _FENCE.startswith(start[: len(_FENCE)]) and len(start) < len(_FENCE):
            self._held = text
            return ""
        if start.startswith(_FENCE):
            line, end, after = start.partition("\n")
            if not end and len(line) < _LINE_MOST:
                self._held = text
                return ""
            self._fenced = bool(end)
            text = after if end else text
        self._begun = True
        return text
