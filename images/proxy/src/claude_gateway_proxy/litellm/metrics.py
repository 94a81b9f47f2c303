"""The worker's Prometheus metrics: its configuration and its load. Requests are counted by the gateway."""

from collections.abc import Callable
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from claude_gateway import metric_names
from claude_gateway_runtime.tasks import running_tasks

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All metrics of this process, in a registry of their own."""

    def __init__(self, *, in_flight: Callable[[], int]) -> None:
        """Define the metrics; ``in_flight`` is called at each scrape."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self._registry = CollectorRegistry()
        self._info = Gauge(metric_names.CONFIG_INFO, "The live revision, always 1", ("revision",), registry=registry)
        self._loaded = Gauge(metric_names.CONFIG_LOADED, "Unix time when the revision was loaded", registry=registry)
        self._errors = Counter(metric_names.CONFIG_ERRORS, "Revisions that could not be loaded", registry=registry)
        self._repairs = Counter(
            metric_names.REPAIRS,
            "Requests sent without something that the model refuses, by what was changed, and whether the upstream "
            "had refused this request (refused) or an earlier one to this model (known)",
            ("repair", "cause"),
            registry=registry,
        )
        running = Gauge(metric_names.IN_FLIGHT, "Requests that are being answered", registry=registry)
        running.set_function(in_flight)
        tasks = Gauge(metric_names.TASKS, "Unfinished asyncio tasks of the process", registry=registry)
        tasks.set_function(running_tasks)

    def loaded(self, *, revision: str, now: float) -> None:
        """Record a new live revision (``now`` in Unix time)."""
        self._info.clear()
        self._info.labels(revision).set(1)
        self._loaded.set(now)

    def refused(self) -> None:
        """Record a revision that could not be loaded."""
        self._errors.inc()

    def repaired(self, repair: str, *, cause: Literal["refused", "known"]) -> None:
        """Count a request that is sent in another form."""
        self._repairs.labels(repair, cause).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
