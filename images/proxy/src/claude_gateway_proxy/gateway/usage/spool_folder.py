"""The folder of events on disk: its segments, its lines, its lock, and how far it is delivered.

Segments are ``<number>.jsonl``; the last one grows. A line is the beginning of a request or its event. ``acked.json``
says how far the events are delivered. The folder is locked while its process lives.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import msgspec

NAME_BYTES: Final = 8
_LOCK: Final = "lock"
_ACKED: Final = "acked.json"


@dataclass(frozen=True, slots=True)
class Place:
    """How far events are delivered: a segment and its bytes; ``mark`` is the sink's mark for the same position."""

    segment: int = 0
    offset: int = 0
    mark: Mapping[str, Any] = field(default_factory=dict)


class _Line(msgspec.Struct):
    begin: msgspec.Raw = msgspec.Raw()
    end: msgspec.Raw = msgspec.Raw()


class _Id(msgspec.Struct):
    id: str


_LINE: Final = msgspec.json.Decoder(_Line)
_ID: Final = msgspec.json.Decoder(_Id)
encode: Final = msgspec.json.Encoder().encode


def segment(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"{number:08d}.jsonl"


def segments(folder: Path) -> list[int]:
    """Return the numbers of a folder's segments, in their order."""
    return sorted(int(path.stem) for path in folder.glob("*.jsonl"))


def lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
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


def read(line: bytes) -> tuple[tuple[str, bytes] | None, tuple[str, bytes] | None]:
    """Return the content of a line with its id: the beginning of a request, or its event; neither if it is damaged."""
    try:
        found = _LINE.decode(line)
        begin, end = ((_ID.decode(each).id, bytes(each)) if each else None for each in (found.begin, found.end))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    return begin, end


def delivered(folder: Path) -> Place:
    """Return how far a folder is delivered; the beginning if that is not recorded."""
    try:
        return msgspec.json.decode((folder / _ACKED).read_bytes(), type=Place)
    except (OSError, msgspec.MsgspecError):
        return Place()


def write_delivered(folder: Path, place: Place) -> None:
    """Replace the folder's record of how far it is delivered. Raises OSError."""
    scratch = folder / f".{_ACKED}"
    scratch.write_bytes(encode(place))
    scratch.rename(folder / _ACKED)


def locked(folder: Path) -> IO[bytes]:
    """Lock a folder until the returned file is closed. Raises OSError if another process has it."""
    lock = (folder / _LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


@dataclass(frozen=True, slots=True)
class Orphan:
    """A folder that another process left, and the lock on it."""

    folder: Path
    held: IO[bytes]


def orphans(parent: Path) -> Iterator[Orphan]:
    """Yield the folders below ``parent`` without an owner, locked."""
    for folder in sorted(parent.glob("[0-9a-f]" * (2 * NAME_BYTES))):
        with suppress(OSError):
            yield Orphan(folder, locked(folder))
