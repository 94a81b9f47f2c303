"""The gateway's Prometheus metrics. Labels are names from the configuration, so their number is bounded by it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from claude_gateway import names
from claude_gateway.contract.login import Outcome
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.report import CredentialReport, EjectedTarget
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import UNKNOWN, Compared, Record
from claude_gateway_proxy.gateway.telemetry.spend import Spend
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

        def histogram(name: str, text: str, *own: str) -> _Family[Histogram]:
            labels = own or ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
            return _Family(Histogram(name, text, labels, buckets=_SECONDS, registry=registry), labels)

        self._requests = counter(names.METRIC_REQUESTS, "Requests answered", "client", "route", "format", "status")
        self._tokens = counter(
            names.METRIC_TOKENS, "Tokens that upstreams reported, or were estimated", "client", "route", "type"
        )
        self._failed = counter(
            names.METRIC_UPSTREAM_ERRORS, "Failed tries at a target", "route", "provider", "kind", "reason"
        )
        self._failovers = counter(names.METRIC_FAILOVERS, "Tries at a further target after one failed", "route")
        self._rules = counter(names.METRIC_RULES, "Requests that a rule of their route matched", "route", "rule")
        self._verdicts = counter(
            names.METRIC_VERDICTS, "Tool calls that were to be judged", "client", "route", "verdict"
        )
        self._mirrored = counter(
            names.METRIC_MIRRORED, "Requests copied to the candidate of a route's mirror", "route", "result"
        )
        self._mirror_tokens = counter(
            names.METRIC_MIRROR_TOKENS,
            "Tokens that upstreams reported for requests with a copy, of the original (not counted again) and the copy",
            *("client", "route", "side", "type"),
        )
        self._mirror_duration = histogram(
            names.METRIC_MIRROR_DURATION, "Seconds to the end of answers that have a copy, by side", "route", "side"
        )
        self._mirror_ttft = histogram(
            names.METRIC_MIRROR_TTFT, "Seconds to the first byte of answers that have a copy, by side", "route", "side"
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
        self._limited = counter(
            names.METRIC_LIMITED, "Requests that a limit rejected, by the kind of limit", "client", "route", "limit"
        )
        self._waits = histogram(
            names.METRIC_QUEUE_WAIT, "Seconds that requests waited for a limit, of those that waited", "route"
        )
        self._valkey = Gauge(
            names.METRIC_VALKEY_UP,
            "Whether the Valkey that counts for all pods answered when it was last asked",
            ("address",),
            registry=registry,
        )
        self._queued = Gauge(names.METRIC_QUEUED, "Requests that wait for a limit", registry=registry)
        self._spend = Spend(counter)
        self._counters = (
            *self._spend.counters,
            *(self._requests, self._tokens, self._failed, self._failovers, self._rules, self._verdicts),
            *(self._mirrored, self._mirror_tokens, self._limited),
        )
        self._duration = histogram(names.METRIC_DURATION, "Seconds from request to end of answer, by route")
        self._ttft = histogram(names.METRIC_TTFT, "Seconds from request to first byte of the answer, by route")
        self._info = Gauge(names.METRIC_CONFIG_INFO, "The live revision, always 1", ("revision",), registry=registry)
        self._loaded = Gauge(names.METRIC_CONFIG_LOADED, "Unix time when the revision was loaded", registry=registry)
        self._errors = Counter(names.METRIC_CONFIG_ERRORS, "Revisions that could not be loaded", registry=registry)
        running = Gauge(names.METRIC_IN_FLIGHT, "Requests that are being answered", registry=registry)
        running.set_function(in_flight)
        self._ejections: Callable[[], Iterable[EjectedTarget]] = tuple
        self._ejected = Gauge(
            names.METRIC_TARGETS_EJECTED, "Targets ejected after failures, tried last", registry=registry
        )
        self._until = Gauge(
            names.METRIC_EJECTED_UNTIL,
            "Unix time until which a target is ejected, and the kind of its last failure",
            ("target", "reason"),
            registry=registry,
        )

        self._budgets: Callable[[], Iterable[tuple[str, int, int]]] = tuple
        self._spent, self._limit = (
            Gauge(name, text, ("budget",), registry=registry)
            for name, text in (
                (names.METRIC_BUDGET_SPENT, "Spent of a budget in its current period, by all pods as far as known"),
                (names.METRIC_BUDGET_LIMIT, "The amount of a budget"),
            )
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

    def watch_budgets(self, budgets: Callable[[], Iterable[tuple[str, int, int]]]) -> None:
        """Ask ``budgets`` at each scrape for each one's name, what is spent of it, and its amount, in nanodollars."""
        self._budgets = budgets

    def watch_credentials(self, credentials: Callable[[], Iterable[CredentialReport]]) -> None:
        """Ask ``credentials`` at each scrape for what is known about the gateway's credentials."""
        self._credentials = credentials

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask ``waiting`` at each scrape how many requests wait for a limit."""
        self._queued.set_function(waiting)

    def watch_valkey(self, address: str, available: Callable[[], bool]) -> None:
        """Ask ``available`` at each scrape whether the Valkey at ``address`` answers."""
        self._valkey.labels(address).set_function(available)

    def watch_targets(self, ejections: Callable[[], Iterable[EjectedTarget]]) -> None:
        """Ask ``ejections`` at each scrape for the targets that are ejected."""
        self._ejections = ejections

    def finished(self, record: Record, *, now: float) -> None:
        """Count one request at its end; ``now`` is on the record's clock."""
        client, route = record.client, record.route
        self._requests.of(client, route, record.format.value, str(record.status)).inc()
        if record.judges is None and record.mirrors is None:
            self._callers.of(record.proof or UNKNOWN).inc()
        for kind, tokens in _tokens_of(record):
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
        for repair, cause in record.repairs:
            self._repairs.labels(repair, cause).inc()
        if record.limited:
            self._limited.of(client, route, record.limited).inc()
        if record.queued:
            self._waits.of(route).observe(record.queued)
        if record.attempts > 1:
            self._failovers.of(route).inc(record.attempts - 1)
        if record.attempts:
            what = (OPERATIONS[record.format].otel_name, self._providers.get(record.provider, record.provider), route)
            self._duration.of(*what).observe(now - record.started)
            if record.first_byte is not None:
                self._ttft.of(*what).observe(record.first_byte - record.started)

    def compared(self, compared: Compared) -> None:
        """Count a request that has a copy, and the copy: tokens, seconds and tools, side by side.

        A copy is in no other metric of requests and tokens, so that it changes no number of its route's clients; what
        it cost was spent, and is counted with all other money.
        """
        route = compared.original.route
        self._mirrored.of(route, compared.result).inc()
        if compared.copy is None:
            return
        self._spend.finished(compared.copy, now=compared.copy.started)
        sides = (("original", compared.original), ("copy", compared.copy))
        for (side, record), seconds in zip(sides, compared.seconds, strict=True):
            for kind, tokens in _tokens_of(record):
                self._mirror_tokens.of(record.client, route, side, kind).inc(tokens)
            if seconds is not None:
                self._mirror_duration.of(route, side).observe(seconds)
            if record.first_byte is not None:
                self._mirror_ttft.of(route, side).observe(record.first_byte - record.started)

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
            "rule": snapshot.rules,
            "provider": providers,
            "gen_ai_request_model": routes,
            "gen_ai_provider_name": {UNKNOWN, *snapshot.providers.values()},
        }
        for counters in self._counters:
            counters.forget(known)
        for histograms in (self._duration, self._ttft, self._mirror_duration, self._mirror_ttft, self._waits):
            histograms.forget(known)

    def refused(self) -> None:
        """Note a revision that could not be loaded."""
        self._errors.inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; takes a while with thousands of label sets."""
        self._show_credentials()
        self._show_ejections()
        self._show_budgets()
        return generate_latest(self._registry)

    def _show_ejections(self) -> None:
        """Set the gauges of ejected targets; of several models of one target, the one that is ejected longest counts.

        The id is shown without the hash of its content, so that a series goes on when the target is edited.
        """
        latest = {
            each.target.rpartition(".")[0]: each for each in sorted(self._ejections(), key=lambda each: each.until)
        }
        self._ejected.set(len(latest))
        self._until.clear()
        for target, each in latest.items():
            self._until.labels(target, each.reason).set(each.until)

    def _show_budgets(self) -> None:
        """Set the gauges of the budgets, of those alone that exist."""
        self._spent.clear()
        self._limit.clear()
        for budget, spent, limit in self._budgets():
            self._spent.labels(budget).set(spent / NANODOLLARS)
            self._limit.labels(budget).set(limit / NANODOLLARS)

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


def _tokens_of(record: Record) -> Iterator[tuple[str, int]]:
    """Yield the counts that were reported, each with its label."""
    if record.input_tokens:
        yield "input", record.input_tokens
    if record.output_tokens:
        yield "output", record.output_tokens
    if record.cache_read_tokens:
        yield "cache_read", record.cache_read_tokens
    if record.cache_creation_tokens:
        yield "cache_creation", record.cache_creation_tokens
