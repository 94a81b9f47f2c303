"""Server-sent events as bytes: where events end, and what the first ones say.

Streams are passed on unchanged; no events are built from the bytes of a whole stream.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from claude_gateway_proxy.translation.decoding import decode, whole
from claude_gateway_proxy.translation.limits import too_long
from claude_gateway_proxy.translation.reports import document_of, reported
from claude_gateway_proxy.translation.words import is_about_content

HOLD_LIMIT: Final = 64 * 1024
"""The most bytes of a stream's beginning that are buffered."""

ENDS: Final = (b"\n\n", b"\n\r\n", b"\r\r", b"\r\r\n")
END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
"""A line end and an empty line; there are three kinds of line ends, and a stream may mix them."""
END_BYTES: Final = 4
"""The bytes of the longest end of an event."""
_PRELUDE: Final = frozenset(
    {b"message_start", b"ping", b"response.created", b"response.in_progress", b"response.queued"}
)
_FAILED: Final = frozenset({b"error", b"response.failed"})
_ERROR: Final = b'"error"'
"""A member, a type or a value; in a text of the model its quotes are escaped."""
_TOO_LONG: Final = "context_length_exceeded"


class Opening(Enum):
    """What the beginning of a stream says."""

    UNDECIDED = "nothing yet that the model wrote"
    ANSWER = "an answer"


@dataclass(frozen=True, slots=True)
class Reported:
    """A stream that begins with an error for which another target may be tried; ``words`` is the upstream's message.

    ``status`` is what the error stands for: 400, the prompt is too long; 401 and 403, the key is rejected; 429 and 5xx.
    """

    status: int
    words: str


class Boundary:
    """Tracks whether the bytes so far end at the end of an event."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b""

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes of the stream."""
        self._last = chunk[-4:] if len(chunk) >= 4 else (self._last + chunk)[-4:]

    @property
    def clean(self) -> bool:
        """Whether an event of our own may follow; also true before the first byte."""
        return not self._last or self._last.endswith(ENDS)


class Beginning:
    """Classifies the beginning of a stream, piece by piece; the pieces may be very small."""

    __slots__ = ("_held", "_size", "_tail")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> Opening | Reported:
        """Classify with the next bytes.

        Errors that come from the request itself (``invalid_request_error`` …) are an answer like any other, except for
        a prompt that is too long.
        """
        self._size += len(chunk)
        if self._size >= HOLD_LIMIT:
            return Opening.ANSWER
        self._held.append(chunk)
        # What is held has no end of an event in it: only its last bytes may begin one.
        window = self._tail + chunk
        self._tail = window[-END_BYTES:]
        if END.search(window) is None:
            return Opening.UNDECIDED
        data, at = b"".join(self._held), 0
        for end in END.finditer(data):
            verdict = _event(data[at : end.start()])
            if verdict is not Opening.UNDECIDED:
                return verdict
            at = end.end()
        self._held, self._tail = [data[at:]], data[at:][-END_BYTES:]
        return Opening.UNDECIDED


def _event(text: bytes) -> Opening | Reported:
    name, data = b"", b""
    for line in text.splitlines():
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip()
        elif field == b"data":
            data += value.strip()
    if not data or name in _PRELUDE:
        return Opening.UNDECIDED
    if name in _FAILED or _ERROR in data:
        return _error(data, named=name in _FAILED)
    return Opening.ANSWER


def _error(data: bytes, *, named: bool) -> Opening | Reported:
    """Judge an event that may report an error; ``named`` if its name says so."""
    document = document_of(decode(data))
    if document is None:
        return Reported(500, data.decode("utf-8", "replace")) if named else Opening.ANSWER
    response = document.get("response")
    error = reported(response if isinstance(response, dict) else document)
    if error is None:
        return Opening.ANSWER
    words = whole(str(error))
    if _code(error.document) == _TOO_LONG or too_long(words) is not None:
        return Reported(400, words)
    status = error.status
    if status in (401, 403) and not is_about_content(words):
        return Reported(status, words)
    return Reported(status, words) if status == 429 or status >= 500 else Opening.ANSWER


def _code(document: Mapping[str, Any]) -> object:
    error = document.get("error")
    return (error if isinstance(error, dict) else document).get("code")
