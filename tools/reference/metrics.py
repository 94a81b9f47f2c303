"""``docs/reference/metrics.md``: the metrics of the processes, asked of the objects that serve them."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from tools.reference.markdown import code, page, table

from claude_gateway.contract.report import PodReport
from claude_gateway_auth.metrics import LABELS as LOGIN_LABELS
from claude_gateway_auth.metrics import Metrics as LoginMetrics
from claude_gateway_claude_code.metrics import Metrics as BackendMetrics
from claude_gateway_operator.metrics import Metrics as OperatorMetrics
from claude_gateway_proxy.agent.exposition import LABEL
from claude_gateway_proxy.agent.keeper import Keeper, Kept
from claude_gateway_proxy.agent.metrics import own_families
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics as GatewayMetrics
from claude_gateway_proxy.litellm.metrics import Metrics as LiteLLMMetrics

INTRO: Final = f"""\
The agent serves the metrics of all processes of its pod on one page, `/metrics` on `CLAUDE_GATEWAY_METRICS_LISTEN`, in
Prometheus' text format. Every sample has the label `{LABEL}` besides those below: `gateway`, `litellm` or `agent`.
Label values come from the configuration, so their number is bounded by it. A route or client is `namespace/name`. The
usual `process_*` metrics are left out here. The operator serves its own page, on
`CLAUDE_GATEWAY_OPERATOR_METRICS_LISTEN`, and so do the Claude Code backend and the sign-in service, on
`CLAUDE_GATEWAY_METRICS_LISTEN`; all without that label."""

SUFFIX: Final = {"counter": "_total"}
Row = tuple[str, str, str, str]


def render() -> str:
    """The whole page."""
    heads = ("Metric", "Type", "Labels", "Meaning")
    registries = {
        "gateway": GatewayMetrics(in_flight=lambda: 0).registry,
        "litellm": LiteLLMMetrics(in_flight=lambda: 0)._registry,  # noqa: SLF001
    }
    tables = {name: _registered(registry) for name, registry in registries.items()} | {"agent": _agent()}
    tables["operator"] = _registered(OperatorMetrics().registry)
    backend = BackendMetrics(running=lambda: 0, waiting=lambda: 0, ready=lambda: 0)
    tables["claude_code"] = _registered(backend.registry)
    tables["auth"] = [
        (name, kind, labels or ", ".join(map(code, LOGIN_LABELS)), meaning)
        for name, kind, labels, meaning in _registered(LoginMetrics().registry)
    ]
    parts = [part for name, rows in tables.items() for part in (f"## {name}", table(heads, rows))]
    return page("Metrics", INTRO, parts, source="the metrics of images and operator")


def _registered(registry: CollectorRegistry) -> list[Row]:
    rows = []
    # A metric tells its labels nowhere else before it has samples.
    for collector in registry._collector_to_names:  # noqa: SLF001
        labels = tuple(getattr(collector, "_labelnames", ()))
        rows += [_row(family, labels) for family in collector.collect() if not family.name.startswith("process_")]
    return rows


def _agent() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        keeper = Keeper(Path(home), changed=lambda: None)
        keeper.kept = Kept(revision="0")
        return list(_sampled(own_families(keeper=keeper, report=PodReport(), up={})))


def _sampled(families: Iterable[Metric]) -> Iterator[Row]:
    for family in families:
        labels = {label: None for sample in family.samples for label in sample.labels if label != LABEL}
        yield _row(family, tuple(labels))


def _row(family: Metric, labels: tuple[str, ...]) -> Row:
    name = family.name + SUFFIX.get(family.type, "")
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation.rstrip(".") + "."
