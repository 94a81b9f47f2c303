"""Compressed request bodies: the accepted encodings, and their plain bytes, never more than the limit."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import brotli
import zstandard

from claude_gateway_proxy.gateway.errors import bad_request, body_too_large, encoded_body

_AT_ONCE: Final = 256 * 1024
"""The most bytes decompressed on the event loop, which takes a millisecond; larger bodies go to a thread."""

_NO_ENCODING: Final = frozenset({"", "identity"})
_ZLIB: Final = 15
_GZIP: Final = 31
_RAW: Final = -15
"""``wbits`` of zlib's three formats."""

_WINDOW_MOST: Final = 8 * 1024 * 1024
"""The largest zstd window in bytes: a body of a few bytes can request this memory (RFC 8878, 3.1.1.1.2)."""


class _Broken(Exception):  # noqa: N818 - a verdict on a body
    """A body is not valid for its encoding; ``ends`` if it only ends in the wrong place."""

    def __init__(self, *, ends: bool = False) -> None:
        self.ends = ends


Decompress = Callable[[bytes, int], bytes]
"""Returns the plain bytes of a body, up to a number of them. Raises _Broken."""


def content_encoding(value: bytes | None) -> str | None:
    """Return the encoding of a body by its header, None for a plain one. Raises Failure (415) for an unknown one."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    encoding = text.lower()
    if encoding in _NO_ENCODING:
        return None
    if encoding not in _ENCODINGS:
        raise encoded_body(text)
    return encoding


async def decompressed(raw: bytes, encoding: str, *, limit: int) -> bytes:
    """Return the plain bytes of a body, at most ``limit`` of them.

    Raises Failure 413 above the limit, and Failure 400 if the body is not valid for its encoding.
    """
    decompress = _ENCODINGS[encoding]
    try:
        plain = decompress(raw, min(_AT_ONCE, limit + 1)) if len(raw) <= _AT_ONCE else b""
        if not plain or len(plain) == _AT_ONCE:
            plain = await asyncio.to_thread(decompress, raw, limit + 1)
    except _Broken as broken:
        if broken.ends:
            raise bad_request(f"the body does not end where its {encoding} ends") from None
        raise bad_request(f"the body is not valid {encoding}, although its content-encoding says so") from None
    if len(plain) > limit:
        raise body_too_large(limit)
    return plain


def _zlib(raw: bytes, most: int, *, wbits: int) -> bytes:
    stream = zlib.decompressobj(wbits)
    try:
        plain = stream.decompress(raw, most)
    except zlib.error:
        raise _Broken from None
    if len(plain) < most and (not stream.eof or stream.unused_data):
        raise _Broken(ends=True)
    return plain


def _deflate(raw: bytes, most: int) -> bytes:
    """The format of a deflate body: zlib's by RFC 9110, but some clients omit its header."""
    headed = len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0
    return _zlib(raw, most, wbits=_ZLIB if headed else _RAW)


def _brotli(raw: bytes, most: int) -> bytes:
    stream = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    try:
        part = stream.process(raw, output_buffer_limit=most)
        while part:
            parts.append(part)
            size += len(part)
            if size >= most or stream.is_finished():
                break
            part = stream.process(b"", output_buffer_limit=most - size)
    except brotli.error:
        raise _Broken from None
    if size < most and not stream.is_finished():
        raise _Broken(ends=True)
    return b"".join(parts)[:most]


def _zstd(raw: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST).stream_reader(raw, read_across_frames=True)
    try:
        plain: bytes = reader.read(most)
        size = zstandard.frame_content_size(raw)
    except (zstandard.ZstdError, MemoryError):
        raise _Broken from None
    if len(plain) < min(size, most):
        raise _Broken(ends=True)
    return plain


_ENCODINGS: Final[Mapping[str, Decompress]] = {
    "gzip": lambda raw, most: _zlib(raw, most, wbits=_GZIP),
    "x-gzip": lambda raw, most: _zlib(raw, most, wbits=_GZIP),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
"""Every accepted encoding, by its name in ``content-encoding``."""
