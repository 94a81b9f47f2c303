"""The gateway's Prometheus metrics. Labels are names from the configuration, so their number is bounded by it."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from claude_gateway import metric_names
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.comparisons import Comparisons
from claude_gateway_proxy.gateway.telemetry.durations import Durations
from claude_gateway_proxy.gateway.telemetry.families import Families
from claude_gateway_proxy.gateway.telemetry.record import UNKNOWN, Compared, Record
from claude_gateway_proxy.gateway.telemetry.spend import Spend
from claude_gateway_proxy.gateway.telemetry.states import States


class Metrics:
    """All metrics of this process, in a registry of their own; ``states`` are read from components at each scrape."""

    def __init__(self, *, in_flight: Callable[[], int]) -> None:
        """Define the metrics; ``in_flight`` is called at each scrape."""
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._providers: dict[str, str] = {}
        families = self._families = Families(self.registry)
        counter, histogram, gauge = families.counter, families.histogram, families.gauge
        self._requests = counter(metric_names.REQUESTS, "Requests answered", "client", "route", "format", "status")
        self._tokens = counter(
            metric_names.TOKENS, "Tokens that upstreams reported, or were estimated", "client", "route", "type"
        )
        self._failed = counter(
            metric_names.UPSTREAM_ERRORS, "Failed tries at a target", "route", "provider", "kind", "reason"
        )
        self._failovers = counter(metric_names.FAILOVERS, "Retries at another target after one failed", "route")
        self._rules = counter(metric_names.RULES, "Requests that a rule of their route matched", "route", "rule")
        self._verdicts = counter(
            metric_names.VERDICTS, "Tool calls that required a verdict", "client", "route", "verdict"
        )
        self._repairs = counter(
            metric_names.REPAIRS,
            "Requests sent without something that the model refuses, by what was changed, and whether the upstream "
            "had refused this request (refused) or an earlier one to this model (known)",
            *("repair", "cause"),
        )
        self._cache = counter(
            metric_names.CACHE, "Requests that may be answered from the cache, by result (hit, miss)", "route", "result"
        )
        self._callers = counter(
            metric_names.CALLERS,
            "Requests by how their callers proved who they are (key, jwt, serviceAccount, certificate; unknown: not at "
            "all)",
            "proof",
        )
        self._limited = counter(
            metric_names.LIMITED, "Requests that a limit rejected, by the kind of limit", "client", "route", "limit"
        )
        self._braked = counter(
            metric_names.BRAKED,
            "Requests that the client's brake stopped, by its limit and by how: soft, once, or hard, until a release",
            *("client", "limit", "stop"),
        )
        self._waits = histogram(metric_names.QUEUE_WAIT, "Seconds that queued requests waited for a limit", "route")
        self._spend = Spend(counter)
        self._comparisons = Comparisons(families)
        self._durations = Durations(families)
        self._info = gauge(metric_names.CONFIG_INFO, "The live revision, always 1", "revision")
        self._loaded = gauge(metric_names.CONFIG_LOADED, "Unix time when the revision was loaded")
        self._errors = Counter(metric_names.CONFIG_ERRORS, "Revisions that could not be loaded", registry=self.registry)
        gauge(metric_names.IN_FLIGHT, "Requests that are being answered").set_function(in_flight)
        self.tasks: Final[Gauge] = gauge(metric_names.TASKS, "Unfinished asyncio tasks of the process")
        self.states: Final = States(families)

    def provider(self, name: str) -> str:
        """Return OpenTelemetry's name of a provider."""
        return self._providers.get(name, name)

    def finished(self, record: Record, *, now: float) -> None:
        """Count one request at its end; ``now`` is in the time of the record's clock."""
        client, route = record.client, record.route
        self._requests.of(client, route, record.format.value, str(record.status)).inc()
        if record.judges is None and record.mirrors is None:
            self._callers.of(record.proof or UNKNOWN).inc()
        for kind, tokens in record.reported_tokens():
            self._tokens.of(client, route, kind).inc(tokens)
        self._spend.finished(record, now=now)
        for failed in record.upstream_errors:
            self._failed.of(
                route, failed.provider, failed.kind.value, failed.obstacle.value if failed.obstacle else ""
            ).inc()
        if record.rule:
            self._rules.of(route, record.rule).inc()
        for verdict in record.verdicts:
            self._verdicts.of(client, route, verdict).inc()
        if record.braked is not None:
            self._braked.of(client, *record.braked).inc()
        for repair, cause in record.repairs:
            self._repairs.of(repair, cause).inc()
        if record.cache:
            self._cache.of(route, record.cache).inc()
        if record.limited:
            self._limited.of(client, route, record.limited).inc()
        if record.queued:
            self._waits.of(route).observe(record.queued)
        if record.attempts > 1:
            self._failovers.of(route).inc(record.attempts - 1)
        if record.attempts:
            self._durations.finished(record, provider=self.provider(record.provider), now=now)

    def compared(self, compared: Compared) -> None:
        """Count a request that has a copy, and the copy: tokens, dollars, seconds and tools, side by side.

        A copy is in no other metric, so that it changes no number of its route's clients.
        """
        self._comparisons.count(compared)

    def loaded(self, snapshot: Snapshot, *, now: float) -> None:
        """Record the live revision (``now`` in Unix time), and remove labels that are no longer configured."""
        # The previous names stay known: requests that began with them may still end.
        self._providers.update(snapshot.providers)
        self._info.clear()
        self._info.labels(snapshot.revision).set(1)
        self._loaded.set(now)
        routes, providers = {UNKNOWN, *snapshot.routing.routes}, {UNKNOWN, *snapshot.providers}
        known = {
            "client": {UNKNOWN, *snapshot.clients},
            "route": routes,
            "rule": snapshot.rules,
            "provider": providers,
            "gen_ai_request_model": routes,
            "gen_ai_provider_name": {UNKNOWN, *snapshot.providers.values()},
        }
        self._families.forget(known)

    def refused(self) -> None:
        """Record a revision that could not be loaded."""
        self._errors.inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; takes a while with thousands of label sets."""
        self.states.show()
        return generate_latest(self.registry)
