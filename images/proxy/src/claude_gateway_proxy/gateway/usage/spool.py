"""Events on disk: a folder with one writer, whose lines stay until they are acknowledged.

A request writes a line at its beginning and one at its end, each with one ``write`` that returns when the kernel has
it: a killed process loses none. If a process ended before its request, its first line becomes the event.

Lines are in segments, ``<number>.jsonl``; the last one grows. ``acked.json`` says how far they are delivered. A segment
is removed once all its requests have ended and all its events, and those before, are delivered. The folder is locked
while its process lives; a process that finds one without an owner delivers its events, and counts its bytes as its own.
"""

import os
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from claude_gateway_proxy.gateway.usage import spool_folder
from claude_gateway_proxy.gateway.usage.spool_folder import Place

SEGMENT_BYTES: Final = 1024 * 1024
"""The size at which a new segment is started."""

ROOM: Final = 2048
"""Bytes that a request reserves for its event at its beginning: more than almost every event has."""


class Spool:
    """The writer of a new folder, below ``parent``. Its methods never block on a sink, and never raise OSError.

    ``dropped`` counts the events for which there was no room on the disk or below ``limit`` bytes.
    """

    def __init__(self, parent: Path, *, limit: int, mark: Mapping[str, Any]) -> None:
        """Create the folder and lock it; ``mark`` is the sink's mark before the first event. Raises OSError."""
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = parent / secrets.token_hex(spool_folder.NAME_BYTES)
        self.dropped = 0
        self.bytes = 0
        self._limit = limit
        self._lock = threading.Lock()
        # Under another name until it is locked, so that it does not look like one without an owner.
        scratch = parent / f".{self.folder.name}"
        scratch.mkdir(mode=0o700)
        self._held = spool_folder.locked(scratch)
        spool_folder.write_delivered(scratch, Place(mark=mark))
        scratch.rename(self.folder)
        self._number = 0
        self._fd = -1
        self._size = 0
        self._open: dict[str, int] = {}
        """By event, the segment in which its request began; ``ROOM`` is reserved for each."""
        self._next()

    def begin(self, ident: str, event: Mapping[str, object]) -> None:
        """Write that a request begins, if there is room for this and for its event."""
        line = spool_folder.encode({"begin": event}) + b"\n"
        with self._lock:
            if self._fits(len(line) + ROOM) and self._write(line):
                self._open[ident] = self._number

    def end(self, ident: str, event: Mapping[str, object]) -> bool:
        """Write the event of a request that ended; return whether there was room."""
        line = spool_folder.encode({"end": event}) + b"\n"
        with self._lock:
            kept = self._open.pop(ident, None) is not None
            written = (kept or self._fits(len(line))) and self._write(line)
            self.dropped += not written
            return written

    def count(self, size: int) -> None:
        """Add bytes to the count; a negative number removes them."""
        with self._lock:
            self.bytes += size

    def first_open(self) -> int:
        """Return the oldest segment that must stay: one with a request that runs, or the last one."""
        with self._lock:
            return min(self._open.values(), default=self._number)

    def sync(self) -> None:
        """Sync the written lines to disk, so that they survive a crash of the machine and not only of the process."""
        with suppress(OSError):
            with self._lock:
                fd = os.dup(self._fd)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def close(self) -> None:
        """Release the folder; the next process delivers what is left in it."""
        if self._held.closed:
            return
        with self._lock:
            os.close(self._fd)
            # Another file may get the descriptor's number, so nothing may be written from now on.
            self._fd = -1
        self._held.close()

    def _fits(self, size: int) -> bool:
        return self.bytes + len(self._open) * ROOM + size <= self._limit

    def _write(self, line: bytes) -> bool:
        try:
            if self._size + len(line) > SEGMENT_BYTES and self._size:
                self._next()
            written = os.write(self._fd, line)
            if written < len(line):
                os.ftruncate(self._fd, self._size)
                return False
        except OSError:
            return False
        self._size += len(line)
        self.bytes += len(line)
        return True

    def _next(self) -> None:
        path = spool_folder.segment(self.folder, self._number + 1)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._number, self._size = fd, self._number + 1, 0
