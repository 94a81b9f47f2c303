"""The Grafana dashboard of the chart: money, prompt caches, latency and errors, of the metrics that the gateway has.

Written in Grafana's classic JSON model, which every version from 9 on loads, and which is documented at
grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway import names
from claude_gateway.cli.spending.prometheus import grown

PATH: Final = "charts/claude-gateway/files/dashboard.json"

_WIDTH: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_RELEASE: Final = 'namespace=~"$namespace",app_kubernetes_io_instance=~"$release"'
_CLIENT: Final = f'{_RELEASE},client=~"$client"'
_BOTH: Final = f'{_CLIENT},route=~"$route"'
_ROUTE: Final = f'{_RELEASE},route=~"$route"'
_OTEL: Final = f'{_RELEASE},gen_ai_request_model=~"$route"'
_RATE: Final = "$__rate_interval"
_RANGE: Final = "$__range"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PromQL, and how its series are named."""

    expr: str
    legend: str = "__auto"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; ``kind`` is Grafana's type, ``instant``: its queries are for one value of the whole range."""

    title: str
    kind: str
    queries: Sequence[Query]
    unit: str
    width: int
    about: str = ""

    @property
    def instant(self) -> bool:
        """Whether the panel shows one value for the whole range."""
        return self.kind != "timeseries"


def render() -> str:
    """Return the dashboard."""
    document: Json = {
        "uid": "claude-gateway",
        "title": "Claude Gateway",
        "description": "What clients and agents spend, what prompt caches save, and how upstreams answer.",
        "tags": ["claude-gateway", "llm"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": list(_variables())},
        "panels": list(_placed()),
    }
    return json.dumps(document, indent=2) + "\n"


def _sum(metric: str, by: str = "", *, of: str, over: str, how: str = "increase") -> str:
    grouped = f" by ({by})" if by else ""
    series = f"{metric}_total{{{of}}}"
    if over == _RANGE:
        return f"sum{grouped} ({grown(series, over=over)})"
    return f"sum{grouped} ({how}({series}[{over}]))"


def _hits(by: str = "", *, over: str) -> str:
    read = _sum(names.METRIC_TOKENS, by, of=f'{_BOTH},type="cache_read"', over=over)
    sent = _sum(names.METRIC_TOKENS, by, of=f'{_BOTH},type!="output"', over=over)
    return f"{read} / {sent}"


def _saved(by: str = "", *, over: str, how: str = "increase") -> str:
    saved = _sum(names.METRIC_CACHE_SAVED, by, of=_BOTH, over=over, how=how)
    extra = _sum(names.METRIC_CACHE_EXTRA, by, of=_BOTH, over=over, how=how)
    return f"{saved} - ({extra} or 0 * {saved})"


def _most(metric: str) -> str:
    """Return a gauge of budgets: every pod reports what it knows of all, so that the largest is right."""
    return f"max by (budget) ({metric}{{{_RELEASE}}})"


def _quantile(share: float, metric: str) -> Query:
    rate = f"sum by (le, gen_ai_request_model) (rate({metric}_bucket{{{_OTEL}}}[{_RATE}]))"
    return Query(f"histogram_quantile({share}, {rate})", f"{{{{gen_ai_request_model}}}} p{share * 100:g}")


def _top(metric: str, by: str, *, of: str = _BOTH) -> Query:
    legend = " · ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return Query(f"topk(10, {_sum(metric, by, of=of, over=_RANGE)})", legend)


def _hourly(by: str) -> Query:
    return Query(f"3600 * {_sum(names.METRIC_COST, by, of=_BOTH, over=_RATE, how='rate')}", f"{{{{{by}}}}}")


_FAILED: Final = _sum(names.METRIC_REQUESTS, of=f'{_BOTH},status=~"5..|429"', over=_RANGE)
_REQUESTS: Final = _sum(names.METRIC_REQUESTS, of=_BOTH, over=_RANGE)

ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "Spend",
        (
            Panel("Spend", "stat", [Query(_sum(names.METRIC_COST, of=_BOTH, over=_RANGE))], "currencyUSD", 4),
            Panel("Saved by prompt caches", "stat", [Query(_saved(over=_RANGE))], "currencyUSD", 4),
            Panel("Prompts read from the cache", "stat", [Query(_hits(over=_RANGE))], "percentunit", 4),
            Panel(
                "Prompt caches that broke",
                "stat",
                [Query(f"{_sum(names.METRIC_CACHE_BREAKS, of=_BOTH, over=_RANGE)} or vector(0)")],
                "short",
                4,
            ),
            Panel(
                "Requests with an estimated cost",
                "stat",
                [Query(f"({_sum(names.METRIC_COST_ESTIMATED, of=_BOTH, over=_RANGE)} or vector(0)) / {_REQUESTS}")],
                "percentunit",
                4,
                "No price is known, or the answer broke off or had no counts.",
            ),
            Panel("Failed requests", "stat", [Query(f"({_FAILED} or vector(0)) / {_REQUESTS}")], "percentunit", 4),
            Panel("Dollars per hour, by client", "timeseries", [_hourly("client")], "currencyUSD", 12),
            Panel("Dollars per hour, by model", "timeseries", [_hourly("model")], "currencyUSD", 12),
            Panel("Top clients", "bargauge", [_top(names.METRIC_COST, "client")], "currencyUSD", 8),
            Panel(
                "Top agents",
                "bargauge",
                [_top(names.METRIC_AGENT_COST, "client, agent_type, request_class", of=_CLIENT)],
                "currencyUSD",
                8,
                "Sessions and single agents are in the log: claude-gateway spend --by session,agent.",
            ),
            Panel("Top routes and models", "bargauge", [_top(names.METRIC_COST, "route, model")], "currencyUSD", 8),
            Panel(
                "Budgets: spent of the period",
                "timeseries",
                [Query(f"{_most(names.METRIC_BUDGET_SPENT)} / {_most(names.METRIC_BUDGET_LIMIT)}", "{{budget}}")],
                "percentunit",
                12,
            ),
            Panel(
                "Budgets: dollars",
                "timeseries",
                [Query(_most(names.METRIC_BUDGET_SPENT), "{{budget}}")],
                "currencyUSD",
                12,
            ),
        ),
    ),
    (
        "Prompt caches",
        (
            Panel("Cache-hit rate, by route", "timeseries", [Query(_hits("route", over=_RATE))], "percentunit", 8),
            Panel(
                "Dollars saved per hour, by client",
                "timeseries",
                [Query(f"3600 * ({_saved('client', over=_RATE, how='rate')})")],
                "currencyUSD",
                8,
                "What reading from caches saved, less what writing to them cost on top of plain input.",
            ),
            Panel(
                "Broken prompt caches, by client",
                "timeseries",
                [Query(_sum(names.METRIC_CACHE_BREAKS, "client", of=_BOTH, over=_RATE))],
                "short",
                8,
                "Conversations that went on and paid again for what they had in the cache.",
            ),
        ),
    ),
    (
        "Latency and errors",
        (
            Panel(
                "Time to first token",
                "timeseries",
                [_quantile(0.5, names.METRIC_TTFT), _quantile(0.95, names.METRIC_TTFT)],
                "s",
                8,
            ),
            Panel("Duration, p95", "timeseries", [_quantile(0.95, names.METRIC_DURATION)], "s", 8),
            Panel(
                "Requests per second, by status",
                "timeseries",
                [Query(_sum(names.METRIC_REQUESTS, "status", of=_BOTH, over=_RATE, how="rate"))],
                "reqps",
                8,
            ),
            Panel(
                "Failed tries per second",
                "timeseries",
                [
                    Query(
                        _sum(names.METRIC_UPSTREAM_ERRORS, "route, provider, kind", of=_ROUTE, over=_RATE, how="rate"),
                        "{{route}} · {{provider}} · {{kind}}",
                    )
                ],
                "reqps",
                8,
            ),
            Panel(
                "Tries at a further target per second",
                "timeseries",
                [Query(_sum(names.METRIC_FAILOVERS, "route", of=_ROUTE, over=_RATE, how="rate"))],
                "reqps",
                8,
            ),
            Panel(
                "Requests in flight",
                "timeseries",
                [Query(f"sum by (pod) ({names.METRIC_IN_FLIGHT}{{{_RELEASE}}})")],
                "short",
                8,
            ),
        ),
    ),
)
"""The rows of panels, from top to bottom."""


def _variables() -> Iterator[Json]:
    yield {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "hide": 0}
    cost = f"{names.METRIC_REQUESTS}_total"
    for name, label, metric, values in (
        ("namespace", "Namespace", cost, "namespace"),
        ("release", "Release", f'{cost}{{namespace=~"$namespace"}}', "app_kubernetes_io_instance"),
        ("client", "Client", f"{cost}{{{_RELEASE}}}", "client"),
        ("route", "Route", f"{cost}{{{_RELEASE}}}", "route"),
    ):
        yield {
            "type": "query",
            "name": name,
            "label": label,
            "datasource": _SOURCE,
            "query": f"label_values({metric}, {values})",
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            # Also series without the label, such as those of a `serve` that Prometheus scrapes directly.
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _placed() -> Iterator[Json]:
    number, top = 0, 0
    for title, panels in ROWS:
        number += 1
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        yield {"type": "row", "id": number, "title": title, "collapsed": False, "gridPos": place, "panels": []}
        left, top, height = 0, top + 1, 0
        for panel in panels:
            if left + panel.width > _WIDTH:
                left, top, height = 0, top + height, 0
            number += 1
            height = max(height, 4 if panel.kind == "stat" else 8)
            yield _panel(panel, number, {"h": height, "w": panel.width, "x": left, "y": top})
            left += panel.width
        top += height


def _panel(panel: Panel, number: int, place: Json) -> Json:
    found: Json = {
        "type": panel.kind,
        "id": number,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, **_custom(panel)}, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": panel.instant,
                "range": not panel.instant,
            }
            for at, query in enumerate(panel.queries)
        ],
    }
    return {**found, "description": panel.about} if panel.about else found


def _custom(panel: Panel) -> Json:
    if panel.kind != "timeseries":
        return {"min": 0} if panel.kind == "bargauge" else {}
    return {"custom": {"drawStyle": "line", "fillOpacity": 10, "showPoints": "never", "spanNulls": False}}


_REDUCE: Final = {"values": False, "calcs": ["lastNotNull"], "fields": ""}
_OPTIONS: Final[Json] = {
    "stat": {
        "reduceOptions": _REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    },
    "bargauge": {
        "reduceOptions": _REDUCE,
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "auto",
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}
