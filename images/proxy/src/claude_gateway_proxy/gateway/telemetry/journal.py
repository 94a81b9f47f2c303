"""Log lines that never block the event loop: a thread of their own writes them in batches.

A reader of standard output that stalls would block a plain ``write``, and with it every stream of this process.
"""

import os
import threading
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from claude_gateway_runtime.clock import utc

_BATCH_SECONDS: Final = 0.02
_HELD_LIMIT: Final = 8 * 1024 * 1024
"""The most bytes that wait for a stalled reader; further lines are dropped and counted."""

_encode = msgspec.json.Encoder().encode


class Journal:
    """JSON lines to a file descriptor, in the shape of the runtime's ``logs``; also a stream for ``logging``."""

    def __init__(self, fd: int, *, limit: int = _HELD_LIMIT) -> None:
        """Write to ``fd`` from a daemon thread until ``close``."""
        self._fd = fd
        self._limit = limit
        self._lines: list[bytes] = []
        self._held = 0
        self._dropped = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def event(self, event: str, fields: Mapping[str, object], *, level: str = "info") -> None:
        """Write one event; its own fields come last."""
        self._put(_line(event, fields, level=level))

    def write(self, text: str) -> int:
        """Take text as a stream does."""
        self._put(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Do nothing, as a stream may: the thread writes within milliseconds."""

    def close(self, *, seconds: float = 2.0) -> None:
        """Write the buffered lines and stop; wait at most ``seconds`` for a stalled reader."""
        self._closing = True
        self._wake.set()
        self._thread.join(seconds)

    def _put(self, line: bytes) -> None:
        with self._lock:
            if self._held + len(line) > self._limit:
                self._dropped += 1
                return
            self._lines.append(line)
            self._held += len(line)
        if not self._wake.is_set():
            self._wake.set()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            if not self._closing:
                time.sleep(_BATCH_SECONDS)
            self._wake.clear()
            self._drain()
        self._drain()

    def _drain(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(_line("log_lines_dropped", {"count": dropped}, level="warning"))
        try:
            self._write(memoryview(b"".join(lines)))
        except OSError:
            # The reader is gone: the process continues without a log.
            self._limit = 0
        with self._lock:
            self._held = sum(map(len, self._lines))

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                # The parent process shares the descriptor and made it non-blocking.
                time.sleep(_BATCH_SECONDS)


def _line(event: str, fields: Mapping[str, object], *, level: str) -> bytes:
    return _encode({"time": utc(time.time()), "level": level, "event": event, **fields}) + b"\n"
