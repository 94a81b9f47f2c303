"""An OTLP collector of the tests: takes OTLP/HTTP and reads it with OpenTelemetry's own protobuf classes."""

import gzip
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.support.processes.waiting import until


@dataclass(frozen=True, slots=True)
class Span:
    """One span; ids in hex, times in nanoseconds. ``failed``: its status is an error."""

    name: str
    trace: str
    id: str
    parent: str
    state: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: Mapping[str, Any]


@dataclass
class Collector:
    """A context manager; ``headers`` are those of the last request, with lower-case names."""

    status: int = 200
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, list[tuple[dict[str, Any], int, float]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.headers = {name.lower(): value for name, value in self.headers.items()}
                if collector.status == 200:
                    collector.take(self.path, body)
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """What ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set to."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that make a process send here, at once; ``more`` without their prefix."""
        short = {"BSP_SCHEDULE_DELAY": "50", "METRIC_EXPORT_INTERVAL": "100"}
        values = {"EXPORTER_OTLP_ENDPOINT": self.url, **short, **more}
        return {f"OTEL_{name}": value for name, value in values.items()}

    def wait(self, count: int) -> list[Span]:
        """Wait until so many spans came; return all, the oldest first."""
        until(lambda: len(self.spans) >= count, what=f"{count} spans")
        return sorted(self.spans, key=lambda span: span.start)

    def take(self, path: str, body: bytes) -> None:
        """Take one export."""
        self.raw += body
        if path == "/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(_plain(of_resource.resource.attributes))
                self.spans += [_span(span) for scope in of_resource.scope_spans for span in scope.spans]
        elif path == "/v1/metrics":
            for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (metric for scope in of_resource.scope_metrics for metric in scope.metrics):
                    self.metrics[metric.name] = [
                        (_plain(point.attributes), point.count, point.sum) for point in metric.histogram.data_points
                    ]


def _span(span: Any) -> Span:
    return Span(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        state=span.trace_state,
        kind=span.kind,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_plain(span.attributes),
    )


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
