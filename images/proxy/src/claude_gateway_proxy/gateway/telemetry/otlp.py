"""Traces and metrics for an OTLP collector, where OpenTelemetry's own environment variables name one.

Names of spans, attributes and metrics are those of OpenTelemetry's conventions for generative AI. They contain nothing
of the conversation unless the installation enables it. The SDK is imported only if it is needed: it costs a quarter of
a second and 20 MB.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from claude_gateway.names import TRACE_HEADERS
from claude_gateway_proxy.gateway.telemetry.families import PER_TOKEN, TOKENS
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.asgi import Headers

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_ENDPOINTS: Final = {
    "traces": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "metrics": "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
}
_EXPORTERS: Final = {"traces": "OTEL_TRACES_EXPORTER", "metrics": "OTEL_METRICS_EXPORTER"}
_SERVICE: Final = "claude-gateway"
_TRACE_HEADERS: Final = frozenset(name.encode() for name in TRACE_HEADERS)
_LARGE: Final = (256, 16)
"""Spans with content that wait, so that they fit the pod's memory, and that are sent at one time, as collectors take it
(20 MiB).
"""
_MODEL: Final = 128
"""The most characters of a model's name, which clients choose."""
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TO_FIRST: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The buckets that the conventions recommend."""

Later = Callable[[Callable[[Mapping[str, str | bool]], None]], None]
"""Calls its argument when it knows more attributes, in any thread."""

_Attributes = dict[str, str | int | float | bool]


def wanted(signal: str, environ: Mapping[str, str]) -> bool:
    """Return whether ``traces`` or ``metrics`` are enabled: an endpoint is set, and they are not turned off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get(_EXPORTERS[signal], "otlp").strip() != "otlp":
        return False
    return bool(environ.get(_ENDPOINT) or environ.get(_ENDPOINTS[signal]))


def start(environ: Mapping[str, str], *, content: bool = False) -> "Otlp | None":
    """Return the exporter of traces and metrics; None if both are disabled. ``content``: spans are large.

    The SDK reads the endpoint, headers, sampler and intervals from the environment by itself.
    """
    tracing = _tracing(content=content) if wanted("traces", environ) else None
    metering = _metering() if wanted("metrics", environ) else None
    return None if tracing is None and metering is None else Otlp(tracing, metering)


class Tracing:
    """Spans: one for each request, and one within it for each request that the gateway makes to answer it."""

    def __init__(self, provider: "TracerProvider") -> None:
        """Send spans through ``provider``, which samples them."""
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self.provider = provider
        self._api = trace
        self._tracer = provider.get_tracer("claude_gateway")
        self._w3c = TraceContextTextMapPropagator()
        self._open: dict[int, Span] = {}

    def begin(self, record: Record, headers: Headers) -> Headers:
        """Begin the span of a request; return the headers for upstream requests.

        If it is recorded, it is the parent of the upstream's spans. Otherwise the caller's own trace headers stay
        unchanged.
        """
        carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in _TRACE_HEADERS}
        span = self._open[id(record)] = self._start(record, self._w3c.extract(carrier))
        if not span.is_recording():
            return headers
        record.trace_id = f"{span.get_span_context().trace_id:032x}"
        ours: dict[str, str] = {}
        self._w3c.inject(ours, self._api.set_span_in_context(span))
        onward = [header for header in headers if header[0] not in _TRACE_HEADERS]
        return [*onward, *((name.encode(), value.encode("latin-1")) for name, value in ours.items())]

    def end(self, record: Record, content: Later | None = None) -> None:
        """End the span of a request, including one that was refused early; ``content`` has more attributes for it."""
        span = self._open.pop(id(record), None)
        if span is None:
            within = None if record.judges is None else self._open.get(id(record.judges))
            if record.judges is not None and within is None:
                return
            span = self._start(record, None if within is None else self._api.set_span_in_context(within))
        if span.is_recording():
            span.update_name(f"{OPERATIONS[record.format].otel_name} {record.route}")
            span.set_attributes(_described(record))
            if record.outcome not in ("ok", "cancelled"):
                span.set_status(self._api.StatusCode.ERROR, record.error[:200] or None)
        if content is None:
            span.end()
            return
        ended = time.time_ns()

        def end(attributes: Mapping[str, str | bool]) -> None:
            span.set_attributes(attributes)
            span.end(ended)

        content(end)

    def _start(self, record: Record, parent: "Context | None") -> "Span":
        begun = time.time_ns() - round((time.monotonic() - record.started) * 1e9)
        kind = self._api.SpanKind.SERVER if record.judges is None else self._api.SpanKind.CLIENT
        name = OPERATIONS[record.format].otel_name
        return self._tracer.start_span(name, context=parent, kind=kind, start_time=begun)


class Metering:
    """OpenTelemetry's client metrics for generative AI. Labels are bounded: the model is the route's name."""

    def __init__(self, provider: "MeterProvider") -> None:
        """Send measurements through ``provider``, which aggregates them."""
        self.provider = provider
        meter = provider.get_meter("claude_gateway")

        def histogram(name: str, unit: str, text: str, bounds: tuple[float, ...]) -> "Histogram":
            return meter.create_histogram(
                name, unit=unit, description=text, explicit_bucket_boundaries_advisory=list(bounds)
            )

        self._tokens = histogram("gen_ai.client.token.usage", "{token}", "Tokens of a request", TOKENS)
        self._duration = histogram("gen_ai.client.operation.duration", "s", "From request to end of answer", _SECONDS)
        self._first = histogram("gen_ai.server.time_to_first_token", "s", "From request to first byte", _TO_FIRST)
        self._each = histogram(
            "gen_ai.server.time_per_output_token", "s", "Time of each token after the first", PER_TOKEN
        )

    def record(self, record: Record, *, provider: str, now: float) -> None:
        """Measure one request at its end; ``provider`` is OpenTelemetry's name of who answered."""
        if not record.attempts:
            return
        labels: _Attributes = {
            "gen_ai.operation.name": OPERATIONS[record.format].otel_name,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": record.route,
        }
        failed: _Attributes = {} if record.outcome == "ok" else {"error.type": record.outcome}
        self._duration.record(now - record.started, {**labels, **failed})
        if record.all_input_tokens:
            self._tokens.record(record.all_input_tokens, {**labels, "gen_ai.token.type": "input"})
        if record.output_tokens:
            self._tokens.record(record.output_tokens, {**labels, "gen_ai.token.type": "output"})
        if record.first_byte is None:
            return
        self._first.record(record.first_byte - record.started, labels)
        if (seconds := record.seconds_per_token(now=now)) is not None:
            self._each.record(seconds, labels)


class Otlp:
    """Traces and metrics for a collector; a disabled part costs nothing."""

    def __init__(self, tracing: Tracing | None, metering: Metering | None) -> None:
        self._tracing = tracing
        self._metering = metering

    def begin(self, record: Record, headers: Headers) -> Headers:
        """Begin a request; return the headers for upstream requests."""
        return headers if self._tracing is None else self._tracing.begin(record, headers)

    def finished(self, record: Record, *, provider: str, now: float, content: Later | None = None) -> None:
        """Export one request at its end; ``now`` is in the time of the record's clock, ``content`` has its content."""
        if self._tracing is not None:
            self._tracing.end(record, content)
        if self._metering is not None:
            self._metering.record(record, provider=provider, now=now)

    def close(self) -> None:
        """Send the rest; blocks for at most one attempt (``OTEL_EXPORTER_OTLP_TIMEOUT``)."""
        if self._tracing is not None:
            self._tracing.provider.shutdown()
        if self._metering is not None:
            self._metering.provider.shutdown()


def _described(record: Record) -> _Attributes:
    """Return the attributes of a span, without empty ones."""
    found: _Attributes = {
        "gen_ai.operation.name": OPERATIONS[record.format].otel_name,
        "gen_ai.provider.name": record.provider,
        "gen_ai.request.model": record.model[:_MODEL],
        "gen_ai.conversation.id": record.session[:64],
        "gen_ai.usage.input_tokens": record.all_input_tokens,
        "gen_ai.usage.output_tokens": record.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": record.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": record.cache_creation_tokens,
        "http.response.status_code": record.status,
        "error.type": "" if record.outcome == "ok" else record.outcome,
        "claude_gateway.request_id": record.request_id,
        "claude_gateway.client": record.client,
        "claude_gateway.user": record.user,
        "claude_gateway.team": record.team,
        "claude_gateway.route": record.route,
        "claude_gateway.rule": record.rule,
        "claude_gateway.target": record.target,
        "claude_gateway.lane": record.lane,
        "claude_gateway.attempts": record.attempts,
        "claude_gateway.format": record.format.value,
        "claude_gateway.stream": record.stream,
    }
    if record.first_byte is not None:
        found["claude_gateway.time_to_first_byte"] = record.first_byte - record.started
    return {name: value for name, value in found.items() if value not in ("", 0) or isinstance(value, bool)}


def _resource() -> "Resource":
    """Return the resource from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, with our name as the default."""
    from opentelemetry.sdk.resources import Resource

    found = Resource.create()
    named = not str(found.attributes["service.name"]).startswith("unknown_service")
    return found if named else found.merge(Resource({"service.name": _SERVICE}))


def _tracing(*, content: bool) -> Tracing:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    queue, batch = _LARGE if content else (None, None)
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=queue, max_export_batch_size=batch)
    )
    return Tracing(provider)


def _metering() -> Metering:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return Metering(MeterProvider(metric_readers=[reader], resource=_resource(), shutdown_on_exit=False))
