"""The reader of a folder of events: returns what is to be delivered, and removes what is."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claude_gateway_proxy.gateway.usage import spool_folder
from claude_gateway_proxy.gateway.usage.spool_folder import Place

_BATCH: Final = 500
_BATCH_BYTES: Final = 256 * 1024
"""The most bytes of a batch: servers commonly accept bodies of 1 MiB, and OTLP needs up to three times the bytes."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events to deliver, as JSON lines with their ids, and the position after them."""

    events: Sequence[tuple[str, bytes]]
    segment: int
    offset: int


class Reader:
    """Reads a folder's events in their order, and removes what is delivered."""

    def __init__(self, folder: Path) -> None:
        """Start after the acknowledged position."""
        self.folder = folder
        self.place = spool_folder.delivered(folder)

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
            for end, line in spool_folder.lines(self._path(number), start):
                offset = end
                event = spool_folder.read(line)[1]
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
        spool_folder.write_delivered(self.folder, place)
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
            for _, line in spool_folder.lines(self._path(number), 0):
                begin, end = spool_folder.read(line)
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
        return spool_folder.segment(self.folder, number)

    def _segments(self) -> list[int]:
        return spool_folder.segments(self.folder)
