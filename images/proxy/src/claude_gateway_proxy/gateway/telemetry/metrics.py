"""The gateway's Prometheus metrics. Labels are names from the configuration, so their number is bounded by it."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest

from claude_gateway import names
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.comparisons import Comparisons
from claude_gateway_proxy.gateway.telemetry.families import PER_TOKEN, TOKENS, Families
from claude_gateway_proxy.gateway.telemetry.record import UNKNOWN, Compared, Record
from claude_gateway_proxy.gateway.telemetry.spend import Spend
from claude_gateway_proxy.gateway.telemetry.states import States
from claude_gateway_proxy.operations import OPERATIONS

_OTEL: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class Metrics:
    """All metrics of this process, in a registry of their own; ``states`` are those that others are asked for."""

    def __init__(self, *, in_flight: Callable[[], int]) -> None:
        """Define the metrics; ``in_flight`` is asked at each scrape."""
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._providers: dict[str, str] = {}
        families = self._families = Families(self.registry)
        counter, histogram, gauge = families.counter, families.histogram, families.gauge
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
        self._repairs = counter(
            names.METRIC_REPAIRS,
            "Requests sent without something that the model refuses, by what was changed, and whether the upstream "
            "had refused this request (refused) or an earlier one to this model (known)",
            *("repair", "cause"),
        )
        self._cache = counter(
            names.METRIC_CACHE, "Requests whose answer may be kept, by whether it was (hit, miss)", "route", "result"
        )
        self._callers = counter(
            names.METRIC_CALLERS,
            "Requests by how their callers proved who they are (key, jwt, serviceAccount, certificate; unknown: not at "
            "all)",
            "proof",
        )
        self._limited = counter(
            names.METRIC_LIMITED, "Requests that a limit rejected, by the kind of limit", "client", "route", "limit"
        )
        self._braked = counter(
            names.METRIC_BRAKED,
            "Requests that the client's brake stopped, by its limit and by how: soft, once, or hard, until a release",
            *("client", "limit", "stop"),
        )
        self._waits = histogram(
            names.METRIC_QUEUE_WAIT, "Seconds that requests waited for a limit, of those that waited", "route"
        )
        self._spend = Spend(counter)
        self._comparisons = Comparisons(families)
        self._duration = histogram(names.METRIC_DURATION, "Seconds from request to end of answer, by route", *_OTEL)
        self._ttft = histogram(names.METRIC_TTFT, "Seconds from request to first byte of the answer, by route", *_OTEL)
        self._per_token = histogram(
            names.METRIC_PER_TOKEN,
            "Seconds of each output token after the first, by route",
            *_OTEL,
            buckets=PER_TOKEN,
        )
        self._usage = histogram(
            names.METRIC_TOKEN_USAGE,
            "Tokens of a request, those of the cache among the input, by route",
            *(*_OTEL, "gen_ai_token_type"),
            buckets=TOKENS,
        )
        self._info = gauge(names.METRIC_CONFIG_INFO, "The live revision, always 1", "revision")
        self._loaded = gauge(names.METRIC_CONFIG_LOADED, "Unix time when the revision was loaded")
        self._errors = Counter(names.METRIC_CONFIG_ERRORS, "Revisions that could not be loaded", registry=self.registry)
        gauge(names.METRIC_IN_FLIGHT, "Requests that are being answered").set_function(in_flight)
        self.tasks: Final[Gauge] = gauge(names.METRIC_TASKS, "Unfinished asyncio tasks of the process")
        self.states: Final = States(families)

    def provider(self, name: str) -> str:
        """Return OpenTelemetry's name of a provider."""
        return self._providers.get(name, name)

    def finished(self, record: Record, *, now: float) -> None:
        """Count one request at its end; ``now`` is on the record's clock."""
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
            what = (OPERATIONS[record.format].otel_name, self.provider(record.provider), route)
            self._duration.of(*what).observe(now - record.started)
            if record.first_byte is not None:
                self._ttft.of(*what).observe(record.first_byte - record.started)
            if (seconds := record.seconds_per_token(now=now)) is not None:
                self._per_token.of(*what).observe(seconds)
            for kind, tokens in (("input", record.all_input_tokens), ("output", record.output_tokens)):
                if tokens:
                    self._usage.of(*what, kind).observe(tokens)

    def compared(self, compared: Compared) -> None:
        """Count a request that has a copy, and the copy: tokens, dollars, seconds and tools, side by side.

        A copy is in no other metric, so that it changes no number of its route's clients.
        """
        self._comparisons.count(compared)

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
        self._families.forget(known)

    def refused(self) -> None:
        """Note a revision that could not be loaded."""
        self._errors.inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; takes a while with thousands of label sets."""
        self.states.show()
        return generate_latest(self.registry)
