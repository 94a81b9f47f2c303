"""The gateway's Prometheus metrics. Labels are names from the configuration, so their number is bounded by it."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from claude_gateway import names
from claude_gateway.contract.login import Outcome
from claude_gateway.contract.report import CredentialReport
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import UNKNOWN, Record
from claude_gateway_proxy.operations import OPERATIONS

_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84)
"""OpenTelemetry's buckets for GenAI durations, with room for long answers."""

_Child = TypeVar("_Child", Counter, Histogram)


class _Family(Generic[_Child]):
    """One metric with its label sets at hand: looking one up costs a dict access."""

    def __init__(self, metric: _Child, labels: tuple[str, ...]) -> None:
        self._metric: _Child = metric
        self._labels = labels
        self._children: dict[tuple[str, ...], _Child] = {}

    def of(self, *values: str) -> _Child:
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


class Metrics:
    """All metrics of this process, in a registry of their own."""

    def __init__(self, *, in_flight: Callable[[], int]) -> None:
        """Define the metrics; ``in_flight`` is asked at each scrape."""
        registry = self._registry = CollectorRegistry()
        self._providers: dict[str, str] = {}
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> _Family[Counter]:
            return _Family(Counter(name, text, labels, registry=registry), labels)

        def histogram(name: str, text: str) -> _Family[Histogram]:
            labels = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
            return _Family(Histogram(name, text, labels, buckets=_SECONDS, registry=registry), labels)

        self._requests = counter(names.METRIC_REQUESTS, "Requests answered", "client", "route", "format", "status")
        self._tokens = counter(names.METRIC_TOKENS, "Tokens that upstreams reported", "client", "route", "type")
        self._failed = counter(
            names.METRIC_UPSTREAM_ERRORS, "Failed tries at a target", "route", "provider", "kind", "reason"
        )
        self._failovers = counter(names.METRIC_FAILOVERS, "Tries at a further target after one failed", "route")
        self._verdicts = counter(
            names.METRIC_VERDICTS, "Tool calls that were to be judged", "client", "route", "verdict"
        )
        self._repairs = Counter(
            names.METRIC_REPAIRS,
            "Requests sent without something that the model refuses, by what was changed, and whether the upstream "
            "had refused this request (refused) or an earlier one to this model (known)",
            ("repair", "cause"),
            registry=registry,
        )
        self._callers = counter(
            names.METRIC_CALLERS,
            "Requests by how their callers proved who they are (key, jwt, serviceAccount; unknown: not at all)",
            "proof",
        )
        self._duration = histogram(names.METRIC_DURATION, "Seconds from request to end of answer, by route")
        self._ttft = histogram(names.METRIC_TTFT, "Seconds from request to first byte of the answer, by route")
        self._info = Gauge(names.METRIC_CONFIG_INFO, "The live revision, always 1", ("revision",), registry=registry)
        self._loaded = Gauge(names.METRIC_CONFIG_LOADED, "Unix time when the revision was loaded", registry=registry)
        self._errors = Counter(names.METRIC_CONFIG_ERRORS, "Revisions that could not be loaded", registry=registry)
        running = Gauge(names.METRIC_IN_FLIGHT, "Requests that are being answered", registry=registry)
        running.set_function(in_flight)
        self._aside = Gauge(
            names.METRIC_TARGETS_ASIDE, "Targets put aside after failures, tried last", registry=registry
        )

        self._credentials: Callable[[], Iterable[CredentialReport]] = tuple
        self._valid = Gauge(
            names.METRIC_CREDENTIAL_VALID,
            "Whether the upstream accepted the credential when it was last used",
            ("credential",),
            registry=registry,
        )
        self._expiry = Gauge(
            names.METRIC_CREDENTIAL_EXPIRY,
            "Unix time when the access token of the credential ends",
            ("credential",),
            registry=registry,
        )
        self._refreshes = Counter(
            names.METRIC_CREDENTIAL_FAILURES,
            "Renewals of the credential's access token that failed",
            ("credential",),
            registry=registry,
        )
        self._counted: dict[str, int] = {}

    def watch_credentials(self, credentials: Callable[[], Iterable[CredentialReport]]) -> None:
        """Ask ``credentials`` at each scrape for what is known about the gateway's credentials."""
        self._credentials = credentials

    def watch_targets(self, aside: Callable[[], int]) -> None:
        """Ask ``aside`` at each scrape for the number of targets that are put aside."""
        self._aside.set_function(aside)

    def finished(self, record: Record, *, now: float) -> None:
        """Count one request at its end; ``now`` is on the record's clock."""
        client, route = record.client, record.route
        self._requests.of(client, route, record.format.value, str(record.status)).inc()
        if record.judges is None:
            self._callers.of(record.proof or UNKNOWN).inc()
        if record.input_tokens:
            self._tokens.of(client, route, "input").inc(record.input_tokens)
        if record.output_tokens:
            self._tokens.of(client, route, "output").inc(record.output_tokens)
        if record.cache_read_tokens:
            self._tokens.of(client, route, "cache_read").inc(record.cache_read_tokens)
        if record.cache_creation_tokens:
            self._tokens.of(client, route, "cache_creation").inc(record.cache_creation_tokens)
        for failed in record.upstream_errors:
            self._failed.of(
                route, failed.provider, failed.kind.value, failed.obstacle.value if failed.obstacle else ""
            ).inc()
        for verdict in record.verdicts:
            self._verdicts.of(client, route, verdict).inc()
        for repair, cause in record.repairs:
            self._repairs.labels(repair, cause).inc()
        if record.attempts > 1:
            self._failovers.of(route).inc(record.attempts - 1)
        if record.attempts:
            what = (OPERATIONS[record.format].otel_name, self._providers.get(record.provider, record.provider), route)
            self._duration.of(*what).observe(now - record.started)
            if record.first_byte is not None:
                self._ttft.of(*what).observe(record.first_byte - record.started)

    def loaded(self, snapshot: Snapshot, *, now: float) -> None:
        """Note what is live now (``now`` in Unix time) and forget what is no longer configured."""
        # Those of before stay known: requests that began with them may still end.
        self._providers.update(snapshot.providers)
        self._info.clear()
        self._info.labels(snapshot.revision).set(1)
        self._loaded.set(now)
        routes, providers = {UNKNOWN, *snapshot.routing.routes}, {UNKNOWN, *snapshot.providers}
        known = {
            "client": {UNKNOWN, *snapshot.clients},
            "route": routes,
            "provider": providers,
            "gen_ai_request_model": routes,
            "gen_ai_provider_name": {UNKNOWN, *snapshot.providers.values()},
        }
        for counters in (self._requests, self._tokens, self._failed, self._failovers, self._verdicts):
            counters.forget(known)
        for histograms in (self._duration, self._ttft):
            histograms.forget(known)

    def refused(self) -> None:
        """Note a revision that could not be loaded."""
        self._errors.inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; takes a while with thousands of label sets."""
        self._show_credentials()
        return generate_latest(self._registry)

    def _show_credentials(self) -> None:
        """Set the gauges of the credentials; of two under one name, the one that was heard of last counts."""
        self._valid.clear()
        self._expiry.clear()
        for report in sorted(self._credentials(), key=lambda report: report.at):
            name = report.credential.rpartition(".")[0]
            if report.outcome in (Outcome.OK, Outcome.REJECTED):
                self._valid.labels(name).set(report.outcome is Outcome.OK)
            if report.expires_at is not None:
                self._expiry.labels(name).set(report.expires_at)
            more = report.failures - self._counted.get(report.credential, 0)
            self._counted[report.credential] = report.failures
            self._refreshes.labels(name).inc(max(0, more))
