"""The Grafana dashboard: it asks for metrics and labels that exist, and is made as Grafana's JSON model says."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest
from tools.chart import dashboard
from tools.reference import metrics

DOCUMENT: Final[dict[str, Any]] = json.loads(dashboard.render())
PANELS: Final = [panel for panel in DOCUMENT["panels"] if panel["type"] != "row"]
EXPRESSIONS: Final = [target["expr"] for panel in PANELS for target in panel["targets"]]

_ROW: Final = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
_NAME: Final = re.compile(r"\b(?:claude_gateway|gen_ai)_[a-z0-9_]+(?=[{])")
_SERIES: Final = re.compile(r"\b((?:claude_gateway|gen_ai)_[a-z0-9_]+)\{([^}]*)\}")
_BY: Final = re.compile(r"by \(([^)]*)\)")
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
_ADDED: Final = {"namespace", "app_kubernetes_io_instance", "pod"}
"""Labels that the PodMonitor or the ServiceMonitor adds."""


def known() -> dict[str, set[str]]:
    """Every series that the processes serve → its labels."""
    found: dict[str, set[str]] = {}
    for name, kind, labels in _ROW.findall(metrics.render()):
        series = [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]
        for each in series:
            found[each] = {*re.findall(r"`(\w+)`", labels), *_ADDED, *(["le"] if each.endswith("_bucket") else [])}
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every query with its legend, those of the variables included."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for variable in DOCUMENT["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]
            yield f"sum by ({label}) ({metric if '{' in metric else metric + '{}'})", f"{{{{{label}}}}}"


@pytest.mark.parametrize(("expression", "legend"), list(queries()))
def test_a_query_asks_for_metrics_and_labels_that_exist(expression: str, legend: str) -> None:
    series, metrics_known = _SERIES.findall(expression), known()
    assert series
    assert len(series) == len(_NAME.findall(expression))
    shared = set.intersection(*(metrics_known[name] for name, _ in series))
    for name, matchers in series:
        asked = {matcher.partition("=")[0].rstrip("!") for matcher in re.findall(r"\w+!?=~?\"", matchers)}
        assert asked <= metrics_known[name], name
    grouped = {label.strip() for labels in _BY.findall(expression) for label in labels.split(",")}
    assert grouped <= shared
    assert set(_LEGEND.findall(legend)) <= grouped


def test_every_metric_of_money_is_shown() -> None:
    shown = {name for expression in EXPRESSIONS for name, _ in _SERIES.findall(expression)}
    money = {name for name in known() if re.search("_dollars_total|cost_estimated|cache_breaks", name)}
    assert len(money) >= 6
    assert money <= shown


def test_variables_are_defined_and_used() -> None:
    defined = {variable["name"] for variable in DOCUMENT["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(DOCUMENT)))
    assert used == defined
    assert set(re.findall(r"\$__(\w+)", "".join(EXPRESSIONS))) == {"rate_interval", "range"}


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in DOCUMENT["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    identifiers = [panel["id"] for panel in DOCUMENT["panels"]]
    assert len(set(identifiers)) == len(identifiers)


_PANEL: Final = {"type", "id", "title", "description", "datasource", "gridPos", "fieldConfig", "options", "targets"}
_OPTIONS: Final = {
    "stat": {
        *("reduceOptions", "text", "graphMode", "colorMode", "justifyMode", "textMode", "wideLayout"),
        *("showPercentChange", "percentChangeColorMode", "orientation"),
    },
    "bargauge": {
        *("reduceOptions", "text", "displayMode", "valueMode", "namePlacement", "showUnfilled", "sizing"),
        *("minVizWidth", "minVizHeight", "maxVizHeight", "legend", "orientation"),
    },
    "timeseries": {"legend", "tooltip", "timezone", "orientation"},
}
_TARGET: Final = {"refId", "datasource", "expr", "legendFormat", "instant", "range"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_the_fields_of_grafanas_model(panel: dict[str, Any]) -> None:
    """Grafana takes any JSON and ignores what it does not know, so that a typo would be a setting without effect."""
    assert set(panel) - {"description"} == _PANEL - {"description"}
    assert set(panel["options"]) <= _OPTIONS[panel["type"]]
    assert set(panel["fieldConfig"]) == {"defaults", "overrides"}
    for target in panel["targets"]:
        assert set(target) == _TARGET
        assert target["instant"] is not target["range"]
        assert ("__range" in target["expr"]) is target["instant"], "one value of the whole range, or a line"
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
