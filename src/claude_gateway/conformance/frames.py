"""Parses AWS event-stream frames, as Bedrock streams them: verifies checksums and extracts the events."""

import base64
import binascii
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.conformance.client import Piece, Reply
from claude_gateway.conformance.requirement import Failed, expect, shorten
from claude_gateway.conformance.sse import Event

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_OVERHEAD: Final = 16
_TEXT: Final = 7


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``at`` is in seconds after the request."""

    at: float
    headers: Mapping[str, str]
    payload: bytes


def frames(pieces: Iterable[Piece]) -> list[Frame]:
    """Split pieces into frames. Raises Failed for a wrong checksum or an incomplete frame."""
    found: list[Frame] = []
    rest = b""
    for piece in pieces:
        rest += piece.data
        while len(rest) >= _OVERHEAD and len(rest) >= (total := struct.unpack("!I", rest[:4])[0]):
            expect(total >= _OVERHEAD, f"a frame says that it has {total} bytes")
            found.append(_frame(piece.at, rest[:total]))
            rest = rest[total:]
    expect(not rest, f"{len(rest)} bytes after the last whole frame")
    return found


def events(reply: Reply) -> list[Event]:
    """Return the stream events in a Bedrock response. Raises Failed."""
    expect(reply.status == 200, f"{reply.asked} -> {reply.status} {shorten(reply.body)}: expected 200")
    kind = reply.header("content-type")
    expect(kind == CONTENT_TYPE, f"{reply.asked}: content-type {kind!r}, expected {CONTENT_TYPE}")
    return [_event(frame) for frame in frames(reply.pieces)]


def _event(frame: Frame) -> Event:
    wanted = {":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}
    given = {name: frame.headers.get(name) for name in wanted}
    expect(given == wanted, f"a frame has the headers {dict(frame.headers)}, {shorten(frame.payload)}")
    try:
        inner: dict[str, Any] = json.loads(base64.b64decode(json.loads(frame.payload)["bytes"], validate=True))
    except (ValueError, KeyError, TypeError):
        raise Failed(f"a frame does not hold base64-encoded JSON: {shorten(frame.payload)}") from None
    return Event(frame.at, str(inner.get("type")), json.dumps(inner))


def _frame(at: float, data: bytes) -> Frame:
    _, header_length, prelude_sum = struct.unpack("!III", data[:12])
    expect(binascii.crc32(data[:8]) == prelude_sum, "the checksum of a frame's prelude is wrong")
    expect(binascii.crc32(data[:-4]) == struct.unpack("!I", data[-4:])[0], "the checksum of a frame is wrong")
    headers = dict(_headers(data[12 : 12 + header_length]))
    return Frame(at, headers, data[12 + header_length : -4])


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    while data:
        length = data[0]
        name, kind = data[1 : 1 + length].decode(), data[1 + length]
        expect(kind == _TEXT, f"the frame header {name} has type {kind}, {_TEXT} (text) was expected")
        start = length + 4
        end = start + struct.unpack("!H", data[start - 2 : start])[0]
        yield name, data[start:end].decode()
        data = data[end:]
