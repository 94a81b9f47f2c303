"""Server-sent events held back until their end, for what can only be decided of a whole one."""

from claude_gateway_proxy.gateway.wire.sse import END, END_BYTES


class WholeEvents:
    """Passes on the events of a stream that are complete; of one that is larger than ``limit``, what has come of it."""

    __slots__ = ("_held", "_limit", "_size", "_tail")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: list[bytes] = []
        self._size = 0
        self._tail = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, and return those up to the end of an event."""
        # The buffer has no end in it: only its last bytes may begin one. A stream may arrive in very small pieces.
        window = self._tail + chunk
        end = max((found.end() for found in END.finditer(window)), default=0) - len(self._tail)
        if (len(chunk) - end if end > 0 else self._size + len(chunk)) > self._limit:
            end = len(chunk)
        if end <= 0:
            self._hold(chunk, window)
            return b""
        data = b"".join((*self._held, chunk[:end]))
        self._held, self._size = [], 0
        self._hold(chunk[end:], chunk[end:])
        return data

    @property
    def holds(self) -> bool:
        """Whether a part of an event is held back."""
        return self._size > 0

    def rest(self) -> bytes:
        """Return what is left at the end of the stream."""
        held, self._held = b"".join(self._held), []
        return held

    def _hold(self, piece: bytes, window: bytes) -> None:
        self._held.append(piece)
        self._size += len(piece)
        self._tail = window[-END_BYTES:]
