"""A transport that combines all writes of one turn of the event loop.

An HTTP server writes a head, a piece of a body and its end separately. On a socket each write costs a system call and
wakes the client.
"""

import asyncio
from typing import Any, Final

_MOST: Final = 64 * 1024
"""The most bytes that are buffered; copying more costs more than a write."""


class Corked(asyncio.Transport):
    """Buffers writes until the turn of the loop ends, or until ``flush``; keeps their order."""

    __slots__ = ("_held", "_loop", "_scheduled", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Write to ``transport``."""
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0
        self._scheduled = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer ``data``, or send it at once if it is large."""
        if len(data) >= _MOST:
            self.flush()
            self._transport.write(data)
            return
        self._held.append(bytes(data))
        self._size += len(data)
        if self._size >= _MOST:
            self.flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._end_turn)

    def write_now(self, data: bytes) -> None:
        """Send the buffer and then ``data`` at once."""
        if self._held:
            self.write(data)
            self.flush()
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send the buffer."""
        held = self._held
        if not held:
            return
        self._held, self._size = [], 0
        if not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Close the connection when everything was sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once; the buffer is lost."""
        self._held, self._size = [], 0
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport knows about the connection."""
        return self._transport.get_extra_info(name, default)

    def _end_turn(self) -> None:
        self._scheduled = False
        self.flush()
