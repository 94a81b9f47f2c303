"""The metrics of time and size, by OpenTelemetry's conventions for generative AI."""

from typing import Final

from claude_gateway import metric_names
from claude_gateway_proxy.gateway.telemetry.families import PER_TOKEN, TOKENS, Families
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.operations import OPERATIONS

_LABELS: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class Durations:
    """Histograms of requests that reached a target."""

    def __init__(self, families: Families) -> None:
        """Define the histograms."""
        histogram = families.histogram
        self._duration = histogram(metric_names.DURATION, "Seconds from request to end of answer, by route", *_LABELS)
        self._ttft = histogram(
            metric_names.TTFT, "Seconds from request to first byte of the answer, by route", *_LABELS
        )
        self._per_token = histogram(
            metric_names.PER_TOKEN,
            "Seconds of each output token after the first, by route",
            *_LABELS,
            buckets=PER_TOKEN,
        )
        self._usage = histogram(
            metric_names.TOKEN_USAGE,
            "Tokens of a request, those of the cache among the input, by route",
            *(*_LABELS, "gen_ai_token_type"),
            buckets=TOKENS,
        )

    def finished(self, record: Record, *, provider: str, now: float) -> None:
        """Measure one request at its end; ``provider`` is OpenTelemetry's name, ``now`` is on the record's clock."""
        labels = (OPERATIONS[record.format].otel_name, provider, record.route)
        self._duration.of(*labels).observe(now - record.started)
        if record.first_byte is not None:
            self._ttft.of(*labels).observe(record.first_byte - record.started)
        if (seconds := record.seconds_per_token(now=now)) is not None:
            self._per_token.of(*labels).observe(seconds)
        for kind, tokens in (("input", record.all_input_tokens), ("output", record.output_tokens)):
            if tokens:
                self._usage.of(*labels, kind).observe(tokens)
