"""Events on disk: a folder with one writer, whose lines stay until they are acknowledged.

A request writes a line at its beginning and one at its end, each with one ``write`` that returns when the kernel has
it: a killed process loses none. If a process ended before its request, its first line becomes the event.

Lines are in segments, ``<number>.jsonl``; the last one grows. ``acked.json`` says how far they are delivered. A segment
is removed once all its requests have ended and all its events, and those before, are delivered. The folder is locked
while its process lives; a process that finds one without an owner delivers its events, and counts its bytes as its own.
"""

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import msgspec

SEGMENT_BYTES: Final = 1024 * 1024
"""The size at which a new segment is started."""

ROOM: Final = 2048
"""Bytes that a request reserves for its event at its beginning: more than almost every event has."""

_NAME_BYTES: Final = 8
_LOCK: Final = "lock"
_ACKED: Final = "acked.json"
_BATCH: Final = 500
_BATCH_BYTES: Final = 256 * 1024
"""The most bytes of a batch: servers commonly accept bodies of 1 MiB, and OTLP needs up to three times the bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far events are delivered: a segment and its bytes; ``mark`` is the sink's mark for the same position."""

    segment: int = 0
    offset: int = 0
    mark: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events to deliver, as JSON lines with their ids, and the position after them."""

    events: Sequence[tuple[str, bytes]]
    segment: int
    offset: int


class _Line(msgspec.Struct):
    begin: msgspec.Raw = msgspec.Raw()
    end: msgspec.Raw = msgspec.Raw()


class _Id(msgspec.Struct):
    id: str


_LINE: Final = msgspec.json.Decoder(_Line)
_ID: Final = msgspec.json.Decoder(_Id)
_encode: Final = msgspec.json.Encoder().encode


class Spool:
    """The writer of a new folder, below ``parent``. Its methods never block on a sink, and never raise OSError.

    ``dropped`` counts the events for which there was no room on the disk or below ``limit`` bytes.
    """

    def __init__(self, parent: Path, *, limit: int, mark: Mapping[str, Any]) -> None:
        """Create the folder and lock it; ``mark`` is the sink's mark before the first event. Raises OSError."""
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = parent / secrets.token_hex(_NAME_BYTES)
        self.dropped = 0
        self.bytes = 0
        self._limit = limit
        self._lock = threading.Lock()
        # Under another name until it is locked, so that it does not look like one without an owner.
        scratch = parent / f".{self.folder.name}"
        scratch.mkdir(mode=0o700)
        self._held = _locked(scratch)
        (scratch / _ACKED).write_bytes(_encode(Place(mark=mark)))
        scratch.rename(self.folder)
        self._number = 0
        self._fd = -1
        self._size = 0
        self._open: dict[str, int] = {}
        """By event, the segment in which its request began; ``ROOM`` is reserved for each."""
        self._next()

    def begin(self, ident: str, event: Mapping[str, object]) -> None:
        """Write that a request begins, if there is room for this and for its event."""
        line = _encode({"begin": event}) + b"\n"
        with self._lock:
            if self._fits(len(line) + ROOM) and self._write(line):
                self._open[ident] = self._number

    def end(self, ident: str, event: Mapping[str, object]) -> bool:
        """Write the event of a request that ended; return whether there was room."""
        line = _encode({"end": event}) + b"\n"
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
        fd = os.open(
            self.folder / f"{self._number + 1:08d}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600
        )
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._number, self._size = fd, self._number + 1, 0


class Reader:
    """Reads a folder's events in their order, and removes what is delivered."""

    def __init__(self, folder: Path) -> None:
        """Start after the acknowledged position."""
        self.folder = folder
        self.place = _acked(folder)

    def batch(self) -> Batch:
        """Return the next events, as many as fit into a batch; without an acknowledgement, they are returned again."""
        events: list[tuple[str, bytes]] = []
        size = 0
        segment, offset = self.place.segment, self.place.offset
        for number in self._segments():
            if number < segment:
                continue
            start = offset if number == segment else 0
            segment, offset = number, start
            for end, line in _lines(self._path(number), start):
                offset = end
                event = _read(line)[1]
                if event is None:
                    continue
                events.append(event)
                size += len(line)
                if len(events) >= _BATCH or size >= _BATCH_BYTES:
                    return Batch(events, segment, offset)
        return Batch(events, segment, offset)

    def ack(self, batch: Batch, mark: Mapping[str, Any]) -> None:
        """Remember that a batch is delivered. Raises OSError."""
        place = Place(batch.segment, batch.offset, mark)
        scratch = self.folder / f".{_ACKED}"
        scratch.write_bytes(_encode(place))
        scratch.rename(self.folder / _ACKED)
        self.place = place

    def trim(self, first: int) -> int:
        """Remove the segments before ``first`` that are delivered; return how many bytes they had."""
        freed = 0
        for number in self._segments():
            if number >= min(first, self.place.segment):
                break
            path = self._path(number)
            freed += path.stat().st_size
            path.unlink()
        return freed

    def size(self) -> int:
        """Return how many bytes the segments have."""
        return sum(self._path(number).stat().st_size for number in self._segments())

    def finish(self) -> None:
        """Write the events of interrupted requests at the end of a folder without an owner.

        It is idempotent. Raises OSError.
        """
        begun: dict[str, bytes] = {}
        numbers = self._segments()
        for number in numbers:
            for _, line in _lines(self._path(number), 0):
                begin, end = _read(line)
                if begin is not None:
                    begun[begin[0]] = begin[1]
                if end is not None:
                    begun.pop(end[0], None)
        if not begun:
            return
        lines = b"".join(b'{"end":%b}\n' % event for event in begun.values())
        last = self._path(max(numbers) + 1)
        scratch = last.with_suffix(".new")
        scratch.write_bytes(lines)
        scratch.rename(last)

    def remove(self) -> None:
        """Remove a delivered folder, and in it ``acked.json`` last, or a part of it could be delivered again."""
        for number in self._segments():
            self._path(number).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.jsonl"

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("*.jsonl"))


@dataclass(frozen=True, slots=True)
class Orphan:
    """A folder that another process left, and the lock on it."""

    folder: Path
    held: IO[bytes]


def orphans(parent: Path) -> Iterator[Orphan]:
    """Yield the folders below ``parent`` without an owner, locked."""
    for folder in sorted(parent.glob("[0-9a-f]" * (2 * _NAME_BYTES))):
        with suppress(OSError):
            yield Orphan(folder, _locked(folder))


def _read(line: bytes) -> tuple[tuple[str, bytes] | None, tuple[str, bytes] | None]:
    """Return the content of a line with its id: the beginning of a request, or its event; neither if it is damaged."""
    try:
        found = _LINE.decode(line)
        begin, end = ((_ID.decode(each).id, bytes(each)) if each else None for each in (found.begin, found.end))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    return begin, end


def _locked(folder: Path) -> IO[bytes]:
    lock = (folder / _LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


def _acked(folder: Path) -> Place:
    try:
        return msgspec.json.decode((folder / _ACKED).read_bytes(), type=Place)
    except (OSError, msgspec.MsgspecError):
        return Place()


def _lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines of a segment from ``start`` on, each with the offset after it.

    A last line without its end is being written, or was when its process ended.
    """
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield start, line
