"""AWS's event stream: frames of text headers and a payload, with check sums over lengths and whole."""

import struct
from binascii import crc32
from collections.abc import Mapping


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame; the numbers are big-endian, type 7 is a text."""
    packed = b""
    for name, value in headers.items():
        packed += struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack("!I", crc32(prelude)) + packed + payload
    return message + struct.pack("!I", crc32(message))
