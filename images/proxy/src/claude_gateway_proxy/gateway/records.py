"""The records of model requests: the running ones, and where each is written when its answer has ended."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.content.capture import Capture, Content
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.otlp import Later, Otlp
from claude_gateway_proxy.gateway.telemetry.record import Compared, Record
from claude_gateway_proxy.gateway.usage.usage import UsageEvents
from claude_gateway_proxy.gateway.wire.paths import ModelPath
from claude_gateway_runtime.asgi import Headers, Send


class Records:
    """Tracks every model request from its first byte to its end.

    ``running`` are the records of the requests that are being answered, the oldest first, by their identity.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        journal: Journal | None,
        used: Callable[[Record], None],
        otlp: Otlp | None = None,
        events: UsageEvents | None = None,
        capture: Capture | None = None,
    ) -> None:
        """Count each request in ``metrics``; ``journal`` gets a line, ``otlp`` a span and ``events`` an event of it.

        ``used`` adds it to what its caller used. With ``capture``, the span has the content of the request.
        """
        self.running: Final[dict[int, Record]] = {}
        self._used = used
        self._metrics = metrics
        self._journal = journal
        self._otlp = otlp
        self._events = events
        self._capture = capture
        self._contents: dict[int, Content] = {}

    def begin(self, path: ModelPath) -> Record:
        """Return the record of a new request."""
        record = Record(wire=path.wire, format=path.format, started=time.monotonic())
        self.running[id(record)] = record
        return record

    def trace(self, record: Record, headers: Headers) -> Headers:
        """Begin the request's span, where spans are recorded; returns the headers with its ``traceparent``."""
        return headers if self._otlp is None else self._otlp.begin(record, headers)

    def listen(self, call: Call, send: Send) -> Send:
        """Return what a request is answered with: ``send`` itself, unless its span is to have its content."""
        if self._capture is None or not call.record.trace_id:
            return send
        content = self._capture.listen(call)
        if content is None:
            return send
        self._contents[id(call.record)] = content
        return content.capturing(send)

    def end(self, record: Record) -> None:
        """Write a request that has ended, and the gateway's own requests for it."""
        now = time.monotonic()
        for each in (*record.asides, record):
            self._metrics.finished(each, now=now)
            if self._otlp is not None:
                provider = self._metrics.provider(each.provider)
                self._otlp.finished(each, provider=provider, now=now, content=self._content(each))
            self._write(each, now=now)
        del self.running[id(record)]

    def compared(self, compared: Compared) -> None:
        """Write a copy that a mirror sent, which may have outlived the request."""
        self._metrics.compared(compared)
        if compared.copy is not None:
            self._write(compared.copy, now=time.monotonic())

    def _content(self, record: Record) -> Later | None:
        content, capture = self._contents.pop(id(record), None), self._capture
        return None if content is None or capture is None else partial(capture.finish, content)

    def _write(self, record: Record, *, now: float) -> None:
        self._used(record)
        if self._events is not None:
            self._events.end(record, now=now)
        if self._journal is not None:
            self._journal.event("request", record.fields(now=now))
