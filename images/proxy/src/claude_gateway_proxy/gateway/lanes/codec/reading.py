"""Reads the body of an upstream's answer: decompressed, without frames, and bounded."""

import zlib
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway.contract.target import Wire
from claude_gateway_proxy.bounds import STREAM_MOST, WHOLE_MOST
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.wire import bedrock
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.documents import Document, Documents

Read = Callable[[], Awaitable[bytes]]
"""Returns the next bytes of an answer, empty at its end. Raises Broken, OSError."""

_GZIP: Final = zlib.MAX_WBITS | 16
_CODINGS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


def reader_of(response: HttpAnswer, wire: Wire | None) -> Read:
    """Return the function that reads an answer, with the frames of a cloud as server-sent events.

    Raises Broken if it has a compression that was not requested.
    """
    read: Read = response.read
    encoding = response.header(b"content-encoding").strip().lower()
    if encoding not in ("", "identity"):
        if encoding not in _CODINGS:
            raise Broken(f"the upstream compressed its answer as '{encoding[:64]}', not as asked for")
        read = _Inflating(read, _CODINGS[encoding]).read
    if wire is Wire.BEDROCK and bedrock.is_stream(response.headers):
        return bedrock.events(read, None)
    return read


async def documents_of(read: Read) -> list[Document]:
    """Read a whole answer and return its documents. Raises BadAnswer, also where it is too large."""
    documents, left = Documents(), STREAM_MOST
    found: list[Document] = []
    while piece := await read():
        left -= len(piece)
        if left < 0:
            raise Broken(f"the upstream's answer is larger than {STREAM_MOST:,} bytes")
        found += documents.feed(piece)
    found += documents.end()
    if documents.failure is not None:
        raise documents.failure
    return found


class _Inflating:
    """Decompresses an answer piece by piece; no piece may become larger than the limit of a whole answer."""

    def __init__(self, read: Read, window: int) -> None:
        self._upstream = read
        self._inflate = zlib.decompressobj(window)
        self._unframed = window == zlib.MAX_WBITS

    async def read(self) -> bytes:
        while piece := await self._upstream():
            plain = self._plain(piece)
            if self._inflate.unconsumed_tail:
                raise Broken(f"the upstream's answer is larger than {WHOLE_MOST:,} bytes")
            if plain:
                return plain
        return b""

    def _plain(self, piece: bytes) -> bytes:
        try:
            plain = self._inflate.decompress(piece, WHOLE_MOST)
        except zlib.error:
            if not self._unframed:
                raise Broken("the upstream's answer cannot be decompressed") from None
            # Some servers send deflate without zlib's frame.
            self._unframed = False
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._plain(piece)
        self._unframed = False
        return plain
