"""The metrics of the logins: when each ends, and how refreshes went."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from claude_gateway import metric_names
from claude_gateway.contract.login import Outcome
from claude_gateway_auth.credential import Ref

LABELS = ("namespace", "credential")


class Metrics(Collector):
    """Values of the credentials that exist now; those of others are removed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._refreshes = Counter(
            metric_names.LOGIN_REFRESHES,
            "Refreshes of a login by outcome: `ok`, `rejected` (somebody has to sign in again) or `unavailable`.",
            [*LABELS, "outcome"],
            registry=self.registry,
        )
        self._expiries: dict[Ref, datetime] = {}
        self._known: set[Ref] = set()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def collect(self) -> Iterable[Metric]:
        """Return the seconds left of each login now."""
        family = GaugeMetricFamily(
            metric_names.LOGIN_EXPIRY,
            "Seconds until the login's access token ends; negative after that.",
            labels=LABELS,
        )
        now = datetime.now(UTC)
        for ref, moment in sorted(self._expiries.items()):
            family.add_metric([ref.namespace, ref.name], (moment - now).total_seconds())
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return what ``collect`` returns, which takes no time."""
        return self.collect()

    def expiry(self, ref: Ref, moment: datetime | None) -> None:
        """Note when a login ends; None if there is none."""
        if moment is None:
            self._expiries.pop(ref, None)
        else:
            self._expiries[ref] = moment

    def refreshed(self, ref: Ref, outcome: Outcome) -> None:
        """Count a refresh."""
        self._known.add(ref)
        self._refreshes.labels(ref.namespace, ref.name, outcome.value).inc()

    def keep(self, refs: Iterable[Ref]) -> None:
        """Forget all other credentials."""
        kept = set(refs)
        for ref in (self._known | set(self._expiries)) - kept:
            self._expiries.pop(ref, None)
            self._known.discard(ref)
            for outcome in Outcome:
                self._refreshes.remove_by_labels(
                    {"namespace": ref.namespace, "credential": ref.name, "outcome": outcome.value}
                )

    def page(self) -> bytes:
        """Return the page for Prometheus."""
        return generate_latest(self.registry)
