"""AWS's event stream, in which Bedrock frames what it streams (``application/vnd.amazon.eventstream``).

A frame: length of all, length of the headers, CRC-32 of these 8 bytes, headers, payload, CRC-32 of all before; numbers
are big-endian. A header: length of its name (1 byte), name, type (1 byte; 7: text of a 2-byte length), value.
"""

import struct
from binascii import crc32
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
_OVERHEAD: Final = _PRELUDE.size + _CRC.size
_LIMIT: Final = 24 * 1024 * 1024
_HEADERS_LIMIT: Final = 128 * 1024
"""AWS's own limits of a message and of its headers, in bytes."""

_TEXT: Final = 7
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a value by its type: two booleans, integers, a time, a UUID."""


class FrameError(ValueError):
    """The bytes are not frames."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; ``headers`` has those that are text, ``raw`` is the unchanged frame."""

    headers: Mapping[str, str]
    payload: bytes
    raw: bytes


class Frames:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def complete(self) -> bool:
        """Whether the last frame is complete."""
        return not self._data

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that end within the next bytes. Raises FrameError if a checksum or a length is wrong."""
        data = self._data
        data += chunk
        found: list[Frame] = []
        at = 0
        while len(data) - at >= _PRELUDE.size:
            end = at + _checked_length(data, at)
            if end > len(data):
                break
            found.append(_frame(bytes(data[at:end])))
            at = end
        del data[:at]
        return found


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame with text headers."""
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    start = struct.pack(">II", _OVERHEAD + len(packed) + len(payload), len(packed))
    message = b"".join((start, _CRC.pack(crc32(start)), packed, payload))
    return message + _CRC.pack(crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return b"%c%s%c%s%s" % (len(name), name, _TEXT, _LENGTH.pack(len(value)), value)


def _checked_length(data: bytearray, at: int) -> int:
    total, headers, check = _PRELUDE.unpack_from(data, at)
    if crc32(data[at : at + 8]) != check:
        raise FrameError("the check sum of a frame's lengths is wrong")
    if total > _LIMIT or headers > _HEADERS_LIMIT or total < _OVERHEAD + headers:
        raise FrameError("a frame has impossible lengths")
    return int(total)


def _frame(raw: bytes) -> Frame:
    if crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
        raise FrameError("the check sum of a frame is wrong")
    end = _PRELUDE.size + _PRELUDE.unpack_from(raw)[1]
    try:
        headers = _headers(raw[_PRELUDE.size : end])
    except (IndexError, struct.error, UnicodeDecodeError):
        raise FrameError("the headers of a frame cannot be read") from None
    return Frame(headers=headers, payload=raw[end : -_CRC.size], raw=raw)


def _headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end], data[name_end]
        at = name_end + 1
        if kind in _SIZES:
            at += _SIZES[kind]
        elif kind in (6, _TEXT):
            length = _LENGTH.unpack_from(data, at)[0]
            at += _LENGTH.size + length
            if kind == _TEXT:
                headers[name.decode()] = data[at - length : at].decode()
        else:
            raise FrameError(f"a frame has a header of the unknown type {kind}")
        if at > len(data):
            raise FrameError("a frame's headers end within a value")
    return headers
