"""Prometheus metrics of the event loop's thread: counting costs an addition, and the registry reads at each scrape.

The client library's own counters take a lock for each number, because any thread may count.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84)
"""OpenTelemetry's buckets for GenAI durations, with room for long answers."""
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""The buckets that OpenTelemetry recommends for tokens."""
PER_TOKEN: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""The same for the time of one token."""


class Count:
    """A counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add ``amount``."""
        self.value += amount


class Distribution:
    """A histogram: the number of values in each bucket, and their sum. The last bucket has no bound."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """``bounds`` are the upper bounds of the buckets, each within its bucket, in order."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


Child = TypeVar("Child", Count, Distribution)


class Family(Collector, Generic[Child]):
    """One metric with its label sets: a lookup costs one dict access."""

    def __init__(
        self,
        labels: tuple[str, ...],
        *,
        make: Callable[[], Child],
        show: Callable[[list[tuple[tuple[str, ...], Child]]], Metric],
    ) -> None:
        """``make`` returns a child, and ``show`` the metric with the label values and children of a scrape."""
        self._labelnames = labels
        self._make: Callable[[], Child] = make
        self._show: Callable[[list[tuple[tuple[str, ...], Child]]], Metric] = show
        self._children: dict[tuple[str, ...], Child] = {}

    def of(self, *values: str) -> Child:
        """The child with these label values."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._make()
        return child

    def forget(self, known: Mapping[str, AbstractSet[str]]) -> None:
        """Remove the children with a label value that ``known`` does not list for that label."""
        for values in list(self._children):
            if any(
                value not in known.get(label, (value,)) for label, value in zip(self._labelnames, values, strict=True)
            ):
                del self._children[values]

    def collect(self) -> Iterator[Metric]:
        """Yield the metric as it is now; also from another thread."""
        # Copied in one step of the interpreter, because the event loop continues to count.
        yield self._show(list(self._children.items()))


class Families:
    """Defines metrics in one registry, and removes the label sets of names that are no longer configured."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry: Final = registry
        self._families: list[Family[Count] | Family[Distribution]] = []

    def counter(self, name: str, text: str, *labels: str) -> Family[Count]:
        """Define a counter."""

        def show(children: list[tuple[tuple[str, ...], Count]]) -> Metric:
            metric = CounterMetricFamily(name, text, labels=labels)
            for values, child in children:
                metric.add_metric(values, child.value)
            return metric

        family = Family(labels, make=Count, show=show)
        self._families.append(family)
        self.registry.register(family)
        return family

    def histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS
    ) -> Family[Distribution]:
        """Define a histogram."""
        bounds = [*map(floatToGoString, buckets), "+Inf"]

        def show(children: list[tuple[tuple[str, ...], Distribution]]) -> Metric:
            metric = HistogramMetricFamily(name, text, labels=labels)
            for values, child in children:
                counts = accumulate(list(child.counts))
                metric.add_metric(values, list(zip(bounds, counts, strict=True)), child.sum)
            return metric

        family = Family(labels, make=lambda: Distribution(buckets), show=show)
        self._families.append(family)
        self.registry.register(family)
        return family

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Define a gauge, whose labels are set at each scrape."""
        return Gauge(name, text, labels, registry=self.registry)

    def forget(self, known: Mapping[str, AbstractSet[str]]) -> None:
        """Remove, from counters and histograms, label sets with a value that ``known`` does not list for its label."""
        for family in self._families:
            family.forget(known)
