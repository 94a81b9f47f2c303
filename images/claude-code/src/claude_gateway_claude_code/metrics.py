"""The backend's metrics."""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from claude_gateway import metric_names

_SECONDS: Final = (0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The backend's metrics. ``gauges`` are read for each page."""

    def __init__(self, *, running: Callable[[], int], waiting: Callable[[], int], ready: Callable[[], int]) -> None:
        """Count in a registry of its own."""
        self.registry = CollectorRegistry()
        gauges: Mapping[str, tuple[str, Callable[[], int]]] = {
            metric_names.BACKEND_RUNNING: ("Requests that a Claude Code process is answering.", running),
            metric_names.BACKEND_QUEUE: ("Requests that wait for their turn.", waiting),
            metric_names.BACKEND_READY: ("Claude Code processes that wait for a request.", ready),
        }
        for name, (text, value) in gauges.items():
            Gauge(name, text, registry=self.registry).set_function(value)
        self._requests = Counter(
            metric_names.BACKEND_REQUESTS,
            "Requests by caller and HTTP status; 499 for a client that left.",
            ("caller", "status"),
            registry=self.registry,
        )
        self._tokens = Counter(
            metric_names.BACKEND_TOKENS, "Tokens of all answers, by kind.", ("kind",), registry=self.registry
        )
        self.starts = Counter(
            metric_names.BACKEND_STARTS, "Claude Code processes started.", ("outcome",), registry=self.registry
        )
        self.first_event = Histogram(
            metric_names.BACKEND_FIRST_EVENT,
            "Time from a request's turn to the first event of its answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.calls_refused = Counter(
            metric_names.BACKEND_CALLS_REFUSED,
            "Further calls of Claude Code that were not passed on to Anthropic.",
            registry=self.registry,
        )
        self.egress_refused = Counter(
            metric_names.BACKEND_EGRESS_REFUSED,
            "Connections of Claude Code to hosts that are not allowed.",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def answered(self, *, caller: str, status: int, tokens: Mapping[str, int]) -> None:
        """Count a request that ended."""
        self._requests.labels(caller=caller, status=str(status)).inc()
        for kind, count in tokens.items():
            self._tokens.labels(kind=kind.removesuffix("_tokens")).inc(count)

    def text(self) -> bytes:
        """Return the page that Prometheus scrapes."""
        return generate_latest(self.registry)
