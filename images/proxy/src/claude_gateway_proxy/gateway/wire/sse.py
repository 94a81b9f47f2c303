"""Server-sent events as bytes on their way: where events end, and what comes first.

Nothing here builds events from the bytes of a whole stream: a stream is passed on as it came.
"""

import re
from enum import Enum
from typing import Final

import msgspec

HOLD_LIMIT: Final = 64 * 1024
"""Bytes of a stream's beginning that are held back at most."""

_ENDS: Final = (b"\n\n", b"\n\r\n", b"\r\r", b"\r\r\n")
END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
"""A line's end and an empty line; lines may end in three ways, and not all of them in the same."""
END_BYTES: Final = 4
"""Bytes of the longest end of an event."""
_PRELUDE: Final = frozenset(
    {b"message_start", b"ping", b"response.created", b"response.in_progress", b"response.queued"}
)
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
"""Error types within a stream that another target may not have, as the status they stand for."""


class Opening(Enum):
    """What the beginning of a stream says."""

    UNDECIDED = "nothing yet that the model wrote"
    ANSWER = "an answer"


class Boundary:
    """Tells whether what was passed on so far ends where an event ends."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b""

    def feed(self, chunk: bytes) -> None:
        """Note the next bytes of the stream."""
        self._last = chunk[-4:] if len(chunk) >= 4 else (self._last + chunk)[-4:]

    @property
    def clean(self) -> bool:
        """Whether an event of our own may follow; also true before the first byte."""
        return not self._last or self._last.endswith(_ENDS)


class Beginning:
    """Judges how a stream begins, piece by piece; a stream may come in very small ones."""

    __slots__ = ("_held", "_size", "_tail")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> Opening | int:
        """Judge with the next bytes: an error that another target may not have gives the status it stands for.

        Errors that come from the request itself (``invalid_request_error`` …) are an answer like any other.
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


def _event(text: bytes) -> Opening | int:
    name, data = b"", b""
    for line in text.splitlines():
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip()
        elif field == b"data":
            data += value.strip()
    if not data or name in _PRELUDE:
        return Opening.UNDECIDED
    if name == b"error" or data.startswith((b'{"error"', b'{"type":"error"')):
        return _status(data)
    return Opening.ANSWER


def _status(data: bytes) -> Opening | int:
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Opening.ANSWER
    error = event.get("error", event) if isinstance(event, dict) else None
    if not isinstance(error, dict):
        return 500
    for key in ("type", "code"):
        status = _ERROR_STATUS.get(str(error.get(key)))
        if status is not None:
            return status
    code = error.get("code")
    return code if isinstance(code, int) and (code == 429 or 500 <= code <= 599) else Opening.ANSWER
