"""The model's name in an answer: found where the format has it, and replaced in the bytes.

Nothing is decoded and nothing else is changed. The search follows the braces and the strings of the JSON, so that no
text of a model and no argument of a tool is mistaken for the name, and it ends at the name: usually after 100 bytes.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from claude_gateway.contract.target import Format

LINE_LIMIT: Final = 256 * 1024
"""The most bytes of a line that are buffered while the name may still follow in it."""

_SHORT: Final = 4 * 1024
"""Bytes of a line up to which it is searched again for each piece of it."""

_TAIL: Final = 4 * 1024
"""The bytes at the end of a whole answer in which the name is searched backwards."""

UNNAMED: Final = frozenset({Format.COUNT_TOKENS})
"""Formats whose answers name no model."""

_TRIES: Final = 64
"""The most events before the first one with a name; beyond that, the stream has none. Comments do not count."""

_WHOLE: Final = (b"model",)
_STREAMED: Final = {Format.MESSAGES: (b"message", b"model"), Format.RESPONSES: (b"response", b"model")}
"""The keys that lead to the name in an event of a stream, if they differ from those of a whole answer."""
_ONCE: Final = frozenset({Format.MESSAGES})
"""Formats whose streams have the name in one event only."""

_KEY: Final = b'"model"'
_EMPTY: Final = b'""'
_BACKSLASH: Final = ord("\\")
_DATA: Final = b"data:"
_PING: Final = b'"ping"'
_LINE_END: Final = re.compile(rb"[\r\n]")
# A truncated string matches to its end: a search within it would mistake its escaped quotes for new strings.
_TOKEN: Final = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"[ \t\r\n]*+(:?)|\\?\Z)|([{\[])|[}\]]',
    re.DOTALL,
)
_VALUE: Final = re.compile(rb'[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
_OBJECT: Final = re.compile(rb"[ \t\r\n]*+\{")


class _Span(NamedTuple):
    """The position of a name in the bytes, with its quotes."""

    start: int
    end: int


_OUTERMOST: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _State(Enum):
    LOOKING = "no name was found yet"
    RENAMING = "the names differ from the one that the client requested"
    PASSING = "nothing is left to change"


def renamed(body: bytes, name: str) -> bytes:
    """Return a whole answer, or the beginning of one, with ``name`` as the model's name."""
    if _KEY not in body:
        return body
    span = _last(body) or _find(body, 0, len(body), _WHOLE)
    return body if span is None else _spliced(body, span, name)


class LateName:
    """Passes on a large answer that names the model at its end, as embeddings do, with another name."""

    __slots__ = ("_held", "_name")

    def __init__(self, name: str) -> None:
        """Replace the name with ``name``."""
        self._name = name
        self._held = b""

    @classmethod
    def is_in(cls, format: Format, beginning: bytes) -> bool:
        """Return whether the name of an answer must come after its ``beginning``, if it has one."""
        return format is Format.EMBEDDINGS and _KEY not in beginning

    @property
    def done(self) -> bool:
        """Whether the rest can be passed on unchanged: not before the end."""
        return False

    def feed(self, chunk: bytes) -> bytes:
        """Read the next bytes and return those that cannot belong to the end."""
        data = self._held + chunk
        at = max(0, len(data) - _TAIL)
        self._held = data[at:]
        return data[:at]

    def rest(self) -> bytes:
        """Return what is left at the end of the answer."""
        held, self._held = self._held, b""
        span = _last(held)
        return held if span is None else _spliced(held, span, self._name)


def _spliced(body: bytes, span: _Span, name: str) -> bytes:
    wanted = msgspec.json.encode(name)
    if body[span.start : span.end] == wanted:
        return body
    return body[: span.start] + wanted + body[span.end :]


def _last(body: bytes) -> _Span | None:
    """Return the position of the name in a whole answer, or the end of one, that has it after all nested values.

    The text after the last nested value is the rest of the outermost object, because nothing follows it. The
    numbers of embeddings would cost a walk ten times as much as this.
    """
    key = body.rfind(_KEY)
    if key < 0 or len(body) - key > _TAIL or body[key - 1 : key] == b"\\":
        return None
    value = _VALUE.match(body, key + len(_KEY))
    try:
        _OUTERMOST.decode(b"{" + body[key:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if value is None else _Span(*value.span(1))


class Renaming:
    """Passes on a stream of server-sent events in which the model gets another name.

    A line is buffered while the name may still follow in it, so that a name in two pieces is found as well.
    """

    __slots__ = ("_held", "_inside", "_once", "_path", "_searched", "_size", "_state", "_tries", "_wanted")

    def __init__(self, format: Format, name: str) -> None:
        """Replace the model's name with ``name`` in events of ``format``."""
        self._path = _STREAMED.get(format, _WHOLE)
        self._once = format in _ONCE
        self._wanted = msgspec.json.encode(name)
        self._held: list[bytes] = []
        self._size = self._searched = 0
        self._inside = False
        self._tries = _TRIES
        self._state = _State.LOOKING

    @property
    def done(self) -> bool:
        """Whether the rest of the stream can be passed on unchanged: it has the right name, or no further name."""
        return self._state is _State.PASSING and not self._held

    def feed(self, chunk: bytes) -> bytes:
        """Read the next bytes and return those that can be sent, often none."""
        size = self._size + len(chunk)
        if _SHORT < size < min(2 * self._searched, LINE_LIMIT) and _LINE_END.search(chunk) is None:
            # A long line in very small pieces is not searched for each of them.
            self._hold(chunk)
            return b""
        data = b"".join((*self._held, chunk))
        self._held, self._size, self._searched = [], 0, 0
        parts: list[bytes] = []
        sent = at = 0
        while self._state is not _State.PASSING:
            line_end = _LINE_END.search(data, at)
            end = len(data) if line_end is None else line_end.start()
            if not self._inside:
                span = self._name(data, at, end)
                if span is not None:
                    if self._note(data[span.start : span.end]):
                        parts += (data[sent : span.start], self._wanted)
                        sent = span.end
                elif line_end is None and end - at <= LINE_LIMIT:
                    self._hold(data[at:])
                    self._searched = self._size
                    break
                elif data.startswith(_DATA, at, end):
                    self._note_nameless(ping=data.find(_PING, at, end) >= 0)
            self._inside = line_end is None
            if line_end is None:
                break
            at = end + 1
        left = data[sent : len(data) - self._size]
        return b"".join((*parts, left)) if parts else left

    def rest(self) -> bytes:
        """Return what is left at the end of the stream."""
        held, self._held = b"".join(self._held), []
        return held

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._held.append(piece)
            self._size += len(piece)

    def _name(self, data: bytes, start: int, end: int) -> _Span | None:
        """Return the position of the name in a line, or the beginning of one; None if it has none or an empty one.

        The first event of some servers reports on the prompt alone, and its name is empty.
        """
        span = _find(data, start, end, self._path) if data.startswith(_DATA, start, end) else None
        return None if span is None or data[span.start : span.end] == _EMPTY else span

    def _note(self, found: bytes) -> bool:
        """Record a name, and return whether it must be replaced."""
        right = found == self._wanted
        if self._once or (right and self._state is _State.LOOKING):
            self._state = _State.PASSING
        else:
            self._state = _State.RENAMING
        return not right

    def _note_nameless(self, *, ping: bool) -> None:
        """Record an event without a name; in Messages, only pings come before the one that has it."""
        if self._state is _State.LOOKING:
            self._tries = 0 if self._once and not ping else self._tries - 1
            if self._tries == 0:
                self._state = _State.PASSING


def _find(data: bytes, start: int, end: int, path: Sequence[bytes]) -> _Span | None:
    """Return the position of the string at a path of keys, in JSON that may be truncated; None if there is none."""
    key = data.find(_KEY, start, end)
    if key < 0:
        return None
    if _comes_first(data, start, key, path):
        value = _VALUE.match(data, key + len(_KEY), end)
        if value is not None:
            return _Span(*value.span(1))
    return _walk(data, start, end, path)


def _comes_first(data: bytes, start: int, key: int, path: Sequence[bytes]) -> bool:
    """Return whether a key is certainly at the path: only the objects on the path were opened before it.

    Nearly all servers write the name early. A brace within a text gives a wrong False, which costs a walk.
    """
    opened = data.count(b"{", start, key)
    if opened != len(path) or data[key - 1] == _BACKSLASH:
        return False
    if data.find(b"}", start, key) >= 0 or data.find(b"[", start, key) >= 0:
        return False
    return opened == 1 or data[start : data.rfind(b"{", start, key)].rstrip().endswith(b'"%b":' % path[-2])


def _walk(data: bytes, start: int, end: int, path: Sequence[bytes]) -> _Span | None:
    """Find the string by the tokens before it.

    A string is a key where a colon follows it, and a step of the path only at its own depth.
    """
    depth = step = 0
    for token in _TOKEN.finditer(data, start, end):
        text, colon, opening = token.groups()
        if opening:
            depth += 1
        elif text is None:
            depth -= 1
            if depth <= step:
                return None
        elif colon and depth == step + 1 and text == path[step]:
            step += 1
            if step == len(path):
                value = _VALUE.match(data, token.end() - 1, end)
                return None if value is None else _Span(*value.span(1))
            if _OBJECT.match(data, token.end(), end) is None:
                return None
    return None
