"""Event streams as WHATWG frames them, read from bytes in pieces of any size.

Lines end with CR LF, LF or CR and with nothing else: U+2028, U+2029 and U+0085 are text, which JSON does not escape.
The grammar is that of the HTML standard, "Server-sent events", with one difference: an event that the stream's end cuts
off before its empty line still counts, since servers forget that line.
"""

from typing import Final, NamedTuple

from claude_gateway_proxy.translation.bad_answer import Broken

EVENT_MOST: Final = 8 * 1024 * 1024
"""Bytes of one event, and of one line: a generated image in base64 fits."""

_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark, which may begin a stream."""

_LINE_ENDS: Final = tuple((each.encode(), b"\\u%04x" % ord(each)) for each in "\u2028\u2029\x85")
"""Characters at which some readers end lines, and their escapes in JSON."""


class ServerEvent(NamedTuple):
    """One event: its name, empty if it has none, and its data lines joined by LF."""

    name: bytes
    data: bytes


class Framing:
    """Reads the events of one stream; costs linear time and at most two events' memory."""

    __slots__ = ("_after_cr", "_begun", "_data", "_has_data", "_line", "_name")

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._line = bytearray()
        self._data = bytearray()
        self._has_data = False
        self._name = b""
        self._begun = False
        self._after_cr = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the events that a piece of the stream completes. Raises Broken at the bound of an event."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        if len(lines) == 1:
            self._keep(piece)
            return []
        if self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        rest = lines.pop()
        events = [event for line in lines if (event := self._read(line)) is not None]
        self._keep(rest)
        return events

    def end(self) -> list[ServerEvent]:
        """Return the event that the end of the stream cuts off, if there is one."""
        events = [self._read(bytes(self._line)) if self._line else None, self._read(b"")]
        self._line.clear()
        return [event for event in events if event is not None]

    def _keep(self, rest: bytes) -> None:
        self._line += rest
        if len(self._line) > EVENT_MOST:
            raise Broken(f"an event of the upstream's stream is larger than {EVENT_MOST:,} bytes")

    def _read(self, line: bytes) -> ServerEvent | None:
        """Read one line; an empty one ends the event."""
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_MARK)
        if not line:
            return self._event()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value)
        elif name == b"event":
            self._name = value
        return None

    def _add(self, value: bytes) -> None:
        if self._has_data:
            self._data += b"\n"
        self._has_data = True
        self._data += value
        if len(self._data) > EVENT_MOST:
            raise Broken(f"an event of the upstream's stream is larger than {EVENT_MOST:,} bytes")

    def _event(self) -> ServerEvent | None:
        """Return the event at hand and begin the next. A name alone is an event too: some servers end an error so."""
        if not self._has_data and not self._name:
            return None
        event = ServerEvent(self._name, bytes(self._data))
        self._data.clear()
        self._has_data = False
        self._name = b""
        return event


def escaped(data: bytes) -> bytes:
    """Return JSON without three characters that are text, at which readers such as httpx end lines."""
    if not data.isascii():
        for character, escape in _LINE_ENDS:
            data = data.replace(character, escape)
    return data
