"""Prometheus metrics with their label sets at hand, and the buckets of the histograms."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84)
"""OpenTelemetry's buckets for GenAI durations, with room for long answers."""
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""The buckets that OpenTelemetry recommends for tokens."""
PER_TOKEN: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""The same for the time of one token."""

Child = TypeVar("Child", Counter, Histogram)


class Family(Generic[Child]):
    """One metric with its label sets at hand: looking one up costs a dict access."""

    def __init__(self, metric: Child, labels: tuple[str, ...]) -> None:
        self._metric: Child = metric
        self._labels = labels
        self._children: dict[tuple[str, ...], Child] = {}

    def of(self, *values: str) -> Child:
        """The child with these label values."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values)
        return child

    def forget(self, known: Mapping[str, AbstractSet[str]]) -> None:
        """Remove the children with a label value that ``known`` does not list for that label."""
        for values in list(self._children):
            if any(value not in known.get(label, (value,)) for label, value in zip(self._labels, values, strict=True)):
                self._metric.remove(*values)
                del self._children[values]


class Families:
    """Defines metrics in one registry, and forgets the label sets of what is no longer configured."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry: Final = registry
        self._families: list[Family[Counter] | Family[Histogram]] = []

    def counter(self, name: str, text: str, *labels: str) -> Family[Counter]:
        """Define a counter."""
        family = Family(Counter(name, text, labels, registry=self.registry), labels)
        self._families.append(family)
        return family

    def histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Family[Histogram]:
        """Define a histogram."""
        family = Family(Histogram(name, text, labels, buckets=buckets, registry=self.registry), labels)
        self._families.append(family)
        return family

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Define a gauge, whose labels are set at each scrape."""
        return Gauge(name, text, labels, registry=self.registry)

    def forget(self, known: Mapping[str, AbstractSet[str]]) -> None:
        """Remove, from counters and histograms, label sets with a value that ``known`` does not list for its label."""
        for family in self._families:
            family.forget(known)
