"""Server-sent events as bytes: where events end, and what the first ones say.

Streams are passed on unchanged; no events are built from the bytes of a whole stream.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from claude_gateway_proxy.translation.limits import too_long
from claude_gateway_proxy.translation.words import words_of

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
_ERRORS: Final = (b'{"error"', b'{"type":"error"', b'{"type":"response.failed"')
_TOO_LONG: Final = "context_length_exceeded"
_ERROR_STATUS: Final = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
}
"""Error types within a stream for which another target may be tried, with the status that they stand for."""


class Opening(Enum):
    """What the beginning of a stream says."""

    UNDECIDED = "nothing yet that the model wrote"
    ANSWER = "an answer"


@dataclass(frozen=True, slots=True)
class Reported:
    """A stream that begins with an error for which another target may be tried; ``words`` is the upstream's message.

    ``status`` is what the error stands for: 400, the prompt is too long, or 429 and 5xx.
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
    if name in _FAILED or data.startswith(_ERRORS):
        return _error(data)
    return Opening.ANSWER


def _error(data: bytes) -> Opening | Reported:
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Opening.ANSWER
    found = event.get("response", event) if isinstance(event, dict) else None
    error = found.get("error", found) if isinstance(found, dict) else None
    words = words_of(error) or ""
    if not isinstance(error, dict):
        return Reported(400 if too_long(words) is not None else 500, words)
    status = _status_of(error)
    if status is None and (error.get("code") == _TOO_LONG or too_long(words) is not None):
        status = 400
    return Opening.ANSWER if status is None else Reported(status, words)


def _status_of(error: Mapping[str, Any]) -> int | None:
    """Return the status of an error that is not the request's fault."""
    for key in ("type", "code"):
        status = _ERROR_STATUS.get(str(error.get(key)))
        if status is not None:
            return status
    code = error.get("code")
    return code if isinstance(code, int) and (code == 429 or 500 <= code <= 599) else None
