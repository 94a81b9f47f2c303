"""The records of model requests: those that run, and where each goes when its answer has ended."""

import time
from typing import Final

from claude_gateway_proxy.gateway.costs.usage import Used
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.otlp import Otlp
from claude_gateway_proxy.gateway.telemetry.record import Compared, Record
from claude_gateway_proxy.gateway.usage.usage import UsageEvents
from claude_gateway_proxy.gateway.wire.paths import ModelPath
from claude_gateway_runtime.asgi import Headers


class Records:
    """Knows every model request from its first byte to its end.

    ``running`` are the records of the requests that are being answered, the oldest first, by their identity; ``used``
    is what each caller used.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        journal: Journal | None,
        otlp: Otlp | None = None,
        events: UsageEvents | None = None,
    ) -> None:
        """Count each request in ``metrics``; ``journal`` gets a line, ``otlp`` a span and ``events`` an event of it."""
        self.running: Final[dict[int, Record]] = {}
        self.used: Final = Used(time.time)
        self._metrics = metrics
        self._journal = journal
        self._otlp = otlp
        self._events = events

    def begin(self, path: ModelPath) -> Record:
        """Return the record of a request that has just come."""
        record = Record(wire=path.wire, format=path.format, started=time.monotonic())
        self.running[id(record)] = record
        return record

    def trace(self, record: Record, headers: Headers) -> Headers:
        """Begin the request's span, where spans are recorded; returns the headers with its ``traceparent``."""
        return headers if self._otlp is None else self._otlp.begin(record, headers)

    def end(self, record: Record) -> None:
        """Write down a request that has ended, and what the gateway asked by itself to answer it."""
        now = time.monotonic()
        for each in (*record.asides, record):
            self._metrics.finished(each, now=now)
            if self._otlp is not None:
                self._otlp.finished(each, provider=self._metrics.provider(each.provider), now=now)
            self._write(each, now=now)
        del self.running[id(record)]

    def compared(self, compared: Compared) -> None:
        """Write down a copy that a mirror sent, which may have outlived the request."""
        self._metrics.compared(compared)
        if compared.copy is not None:
            self._write(compared.copy, now=time.monotonic())

    def _write(self, record: Record, *, now: float) -> None:
        self.used.note(record)
        if self._events is not None:
            self._events.end(record, now=now)
        if self._journal is not None:
            self._journal.event("request", record.fields(now=now))
