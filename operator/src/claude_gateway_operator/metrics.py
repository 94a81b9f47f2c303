"""The operator's Prometheus metrics, served on their own port."""

import logging
from datetime import datetime

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from claude_gateway import metric_names
from claude_gateway.plan.decide import Plan

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one operator."""

    def __init__(self) -> None:
        """Register all metrics in a registry of their own."""
        self.registry = registry = CollectorRegistry()
        self.reconciles = Counter(metric_names.RECONCILES, "Reconciliations, by result.", ["result"], registry=registry)
        self.seconds = Histogram(
            metric_names.RECONCILE_DURATION,
            "Duration of completed reconciliations.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.completed = Gauge(
            metric_names.RECONCILE_COMPLETED,
            "When the last reconciliation was completed (Unix time).",
            registry=registry,
        )
        self.writes = Counter(
            metric_names.WRITES, "Objects written, by kind of write and result.", ["what", "result"], registry=registry
        )
        self.objects = Gauge(
            metric_names.OBJECTS,
            "Objects, by kind, condition type and condition status.",
            ["kind", "type", "status"],
            registry=registry,
        )
        self.object = Gauge(
            metric_names.CONDITION,
            "Whether a condition of an object is true (1) or not (0).",
            ["kind", "namespace", "name", "condition"],
            registry=registry,
        )
        self.expiry = Gauge(
            metric_names.OPERATOR_EXPIRY,
            "When the key, token or login of a ClaudeCredential ends (Unix time), where that is known.",
            ["namespace", "name"],
            registry=registry,
        )
        self.problems = Gauge(metric_names.PROBLEMS, "Mistakes found, by reason.", ["reason"], registry=registry)
        self.bundle = Gauge(
            metric_names.BUNDLE_BYTES, "Size of the bundle as stored, by part.", ["part"], registry=registry
        )
        self.pods = Gauge(
            metric_names.PODS, "Ready proxy pods, and whether all serve one revision.", ["is"], registry=registry
        )

    def wrote(self, what: str, well: bool) -> None:
        """Count a write."""
        self.writes.labels(what, "ok" if well else "error").inc()

    def reconciled(self, seconds: float) -> None:
        """Count a completed reconciliation and observe its duration."""
        self.reconciles.labels("ok").inc()
        self.seconds.observe(seconds)
        self.completed.set_to_current_time()

    def failed(self) -> None:
        """Count a reconciliation that failed."""
        self.reconciles.labels("error").inc()

    def show(self, plan: Plan) -> None:
        """Set the gauges from the result of a reconciliation."""
        for gauge in (self.objects, self.object, self.problems, self.expiry):
            gauge.clear()
        for status in plan.statuses:
            for condition in status.conditions:
                ref = status.object
                self.objects.labels(ref.kind, condition.type, condition.status).inc()
                true = condition.status == "True"
                self.object.labels(ref.kind, ref.namespace, ref.name, condition.type).set(true)
            if status.credential is not None and status.credential.expires_at is not None:
                ends = datetime.fromisoformat(status.credential.expires_at).timestamp()
                self.expiry.labels(status.object.namespace, status.object.name).set(ends)
        for problem in plan.problems:
            self.problems.labels(problem.reason).inc()
        for part, entries in (("public", plan.packed.config), ("secret", plan.packed.secrets)):
            self.bundle.labels(part).set(sum(map(len, entries.values())))
        self.pods.labels("ready").set(plan.fleet.ready)
        self.pods.labels("in_sync").set(plan.fleet.settled is not None)

    async def page(self, _: web.Request) -> web.Response:
        """Answer ``/metrics``."""
        return web.Response(body=generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_LATEST})


async def serve(metrics: Metrics, host: str, port: int) -> web.AppRunner:
    """Serve ``/metrics``; the caller must clean the runner up. Raises OSError if it cannot listen."""
    app = web.Application()
    app.router.add_get("/metrics", metrics.page)
    # A logger of its own, because the shared access logger is disabled.
    log = logging.getLogger(__name__)
    runner = web.AppRunner(app, access_log=None, logger=log, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner
