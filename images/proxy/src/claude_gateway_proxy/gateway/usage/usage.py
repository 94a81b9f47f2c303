"""The usage events of this process: written by the event loop, delivered by a thread of their own."""

import logging
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from claude_gateway_proxy.gateway.telemetry.record import UNKNOWN, Record
from claude_gateway_proxy.gateway.telemetry.states import UsageState
from claude_gateway_proxy.gateway.usage.events import begun, ended
from claude_gateway_proxy.gateway.usage.sinks import Sink, SinkError
from claude_gateway_proxy.gateway.usage.spool import Spool
from claude_gateway_proxy.gateway.usage.spool_folder import orphans
from claude_gateway_proxy.gateway.usage.spool_reader import Reader
from claude_gateway_runtime.logs import emit, unexpected

_GATHER: Final = 0.2
"""Seconds in which events are gathered before they are delivered together."""
_SYNC: Final = 1.0
"""Seconds after which the disk keeps what was written, at the latest."""
_ORPHANS: Final = 30.0
_DROPS: Final = 60.0
"""Seconds between two log lines about events for which there was no room."""
_WAITS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Left:
    """The folder of a process that ended: its lock, and the bytes that it had when it was found."""

    reader: Reader
    held: IO[bytes]
    size: int


class UsageEvents:
    """Records the requests of known clients; an unavailable sink never delays a request."""

    def __init__(self, folder: Path, sink: Sink, *, limit: int) -> None:
        """Spool below ``folder``, up to ``limit`` bytes, and start to deliver. Raises OSError."""
        self._parent = folder
        self._sink = sink
        self._spool = Spool(folder, limit=limit, mark=sink.mark())
        self._prefix = secrets.token_hex(12)
        self._number = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._failures, self._retry = 0, float("-inf")
        self._reported, self._reported_at = 0, float("-inf")
        self._delivered = 0
        self._left: list[_Left] = []
        self._adopt()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()

    def state(self) -> UsageState:
        """Return the results of the events so far."""
        return UsageState(self._delivered, self._spool.dropped, self._spool.bytes)

    def begin(self, record: Record) -> None:
        """Write that a request begins, before any part of it is forwarded."""
        record.event = self._ident()
        self._spool.begin(record.event, begun(record, ident=record.event, unix=time.time()))

    def end(self, record: Record, *, now: float) -> None:
        """Write the event of a request that ended, if its client is known."""
        if record.client == UNKNOWN:
            return
        ident = record.event or self._ident()
        self._spool.end(ident, ended(record, ident=ident, unix=time.time(), now=now))
        if not self._wake.is_set():
            self._wake.set()

    def close(self, *, seconds: float) -> None:
        """Deliver as much as possible within this many seconds; the next process delivers the rest."""
        self._closing.set()
        self._wake.set()
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._spool.close()

    def _ident(self) -> str:
        self._number += 1
        return f"evt_{self._prefix}{self._number:08x}"

    def _run(self) -> None:
        """Deliver this process's own events, and those that ended processes have left."""
        own = Reader(self._spool.folder)
        looked, synced = time.monotonic(), float("-inf")
        while True:
            closing, now = self._closing.is_set(), time.monotonic()
            if now - looked >= _ORPHANS:
                looked = now
                self._adopt()
            if now - synced >= _SYNC:
                synced = now
                self._spool.sync()
            more = (closing or now >= self._retry) and self._attempt(own)
            self._report_drops(now, last=closing)
            if more:
                continue
            if closing:
                return
            self._wake.wait(_SYNC)
            self._wake.clear()
            self._closing.wait(_GATHER)

    def _attempt(self, own: Reader) -> bool:
        """Deliver some events; return whether there may be more."""
        try:
            more = self._deliver(own) or self._deliver_left()
            self._spool.count(-own.trim(self._spool.first_open()))
        except (SinkError, OSError) as error:
            self._failed(str(error))
            return False
        except Exception as error:
            unexpected(_log, "usage_failed", error)
            self._failed(type(error).__name__)
            return False
        self._failures = 0
        return more

    def _deliver(self, reader: Reader) -> bool:
        """Deliver a reader's next events; return whether there were any. Raises SinkError or OSError."""
        batch = reader.batch()
        if not batch.events:
            return False
        reader.ack(batch, self._sink.deliver(batch.events, reader.place.mark))
        self._delivered += len(batch.events)
        return True

    def _deliver_left(self) -> bool:
        """Deliver events of a process that ended; then remove its folder. Raises SinkError or OSError."""
        while self._left:
            left = self._left[0]
            left.reader.finish()
            if self._deliver(left.reader):
                return True
            left.reader.remove()
            left.held.close()
            self._spool.count(-left.size)
            del self._left[0]
        return False

    def _adopt(self) -> None:
        """Take over the folders that have no owner."""
        # Folders that cannot be read now are checked again later.
        with suppress(OSError):
            for orphan in orphans(self._parent):
                reader = Reader(orphan.folder)
                self._left.append(_Left(reader, orphan.held, reader.size()))
                self._spool.count(self._left[-1].size)

    def _failed(self, reason: str) -> None:
        self._retry = time.monotonic() + _WAITS[min(self._failures, len(_WAITS) - 1)]
        self._failures += 1
        # Logged at the first failure and then more and more rarely; the metric counts all.
        if self._failures & (self._failures - 1) == 0:
            emit(_log, "usage_not_delivered", level=logging.WARNING, error=reason, failures=self._failures)

    def _report_drops(self, now: float, *, last: bool) -> None:
        dropped = self._spool.dropped
        if dropped > self._reported and (last or now - self._reported_at >= _DROPS):
            emit(_log, "usage_dropped", level=logging.ERROR, count=dropped - self._reported)
            self._reported, self._reported_at = dropped, now
