"""One tool call of Chat Completions while its arguments arrive in pieces."""

import re
from dataclasses import dataclass, field
from typing import Final

from claude_gateway_proxy.translation.arguments import arguments as object_of
from claude_gateway_proxy.translation.arguments import written
from claude_gateway_proxy.translation.decoding import MALFORMED, Halves, decode
from claude_gateway_proxy.translation.progress import Progress

_NOTHING: Final = frozenset({"", "{}", '""', "null", "[]", "None", "undefined"})
"""Arguments that say nothing. Some servers begin with an empty object and send the real one after it."""

_HEAD: Final = 16
"""Characters that are enough to see whether arguments say something."""

_BETWEEN: Final = re.compile(r"[ \t\r\n,;]*")
"""What is between the arguments of two calls that are sent as those of one."""


@dataclass(slots=True)
class PartialCall:
    """One call. ``parts`` are its arguments so far, of which ``written`` are passed on; ``head`` is their beginning.

    ``before`` is the call whose arguments these came behind, as if they were part of them, and ``first`` the one that
    began so; ``last`` is the newest one behind this one. Only the end shows whether such a call counts.
    """

    key: int
    before: "PartialCall | None" = None
    first: "PartialCall | None" = None
    last: "PartialCall | None" = None
    ident: str = ""
    idents: set[str] = field(default_factory=set)
    name: str = ""
    signature: object = None
    head: str = ""
    parts: list[str] = field(default_factory=list)
    written: int = 0
    progress: Progress = field(default_factory=Progress)
    halves: Halves = field(default_factory=Halves)

    def add(self, text: str, at: int = 0) -> int:
        """Add a piece of the arguments from a place on; return the place behind it, or behind the end of the value."""
        if self.is_empty and self.head and (text if at == 0 else text[at : at + _HEAD]).strip():
            self.parts, self.head, self.progress = [], "", Progress()
        mended, end = self.progress.feed(text, at)
        if len(self.head) < _HEAD:
            self.head = (self.head + mended).lstrip()[:_HEAD]
        self.parts.append(mended)
        return end

    @property
    def is_empty(self) -> bool:
        """Whether the arguments say nothing yet."""
        return self.written == 0 and self.head.rstrip() in _NOTHING

    @property
    def is_done(self) -> bool:
        """Whether the arguments are a whole value that says something."""
        return self.progress.complete and not self.is_empty

    def is_said_by(self, arguments: str) -> bool:
        """Whether a piece repeats the arguments of this call, which is done."""
        said = self.text()
        given = arguments.strip()
        return given in ("", said) or (len(given) >= len(said) and Progress().feed(given)[0] == said)

    def repeats(self, other: "PartialCall") -> bool:
        """Whether the arguments are those of another call, or no object."""
        found = decode(self.text().encode("utf-8", "surrogatepass"))
        return found is MALFORMED or not isinstance(found, dict) or found == object_of(other.text())

    def text(self) -> str:
        """Return the arguments so far."""
        if len(self.parts) > 1:
            self.written = min(self.written, 1)
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def unwritten(self, *, last: bool) -> str:
        """Return what of the arguments may be passed on now, and count it as passed on."""
        is_object = self.progress.kind == "{"
        # An empty object may be another one's beginning.
        is_begun = is_object and self.head.rstrip() != "{"
        if self.is_empty or not (is_begun or self.progress.complete or last):
            return ""
        text = "".join(self.parts[self.written :])
        if not is_object and self.written == 0:
            text = written(text)
        self.written = len(self.parts)
        text = self.halves.whole(text)
        return text + self.halves.rest() if last else text


def behind(text: str, at: int) -> int:
    """Return the place behind what parts two calls."""
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()
