"""Money in Prometheus, evaluated by promtool: recorded sums, what ``spend`` asks for, and the dashboard's queries."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.alerts.test_alerts import OF, promtool
from tests.support.kube.chart import Manifest, render
from tools.chart import dashboard

from claude_gateway.cli.spending.prometheus import expression

LABELS = f'client="ai/a",route="ai/r",provider="anthropic",model="opus",{OF}'


def evaluate(
    folder: Path, inputs: list[tuple[str, str]], query: str, *, at: str, expected: list[tuple[str, float]]
) -> None:
    """Check what a query gives on series, one sample a minute."""
    given = [{"series": series, "values": values} for series, values in inputs]
    samples = [{"labels": labels, "value": value} for labels, value in expected]
    case = {"expr": query, "eval_time": at, "exp_samples": samples}
    test = {"interval": "1m", "input_series": given, "promql_expr_test": [case]}
    (folder / "test.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", str(folder / "test.yaml"))


METRIC = "claude_gateway_cost_dollars_total"


@pytest.mark.parametrize(
    ("values", "dollars"),
    [
        ("0+1x180", 60),
        ("100+0x180", 0),
        # A pod that starts within the hour: what it had spent when it was first seen counts, too.
        ("_x150 5+0x30", 5),
        # A container that starts again in its pod.
        ("0+1x150 0+1x30", 59),
        # A pod that is gone.
        ("0+1x140 _x40", 20),
    ],
)
def test_spend_asks_for_what_was_spent_in_the_time(tmp_path: Path, values: str, dollars: float) -> None:
    query = expression(("client", "model"), seconds=3600)
    close = f"abs({query} - {dollars}) <= bool 1"  # Prometheus extrapolates by up to half a scrape at each edge
    expected = [('{client="ai/a", model="opus"}', 1.0)]
    evaluate(tmp_path, [(f"{METRIC}{{{LABELS}}}", values)], close, at="180m", expected=expected)


def test_the_series_of_all_pods_are_one_sum(tmp_path: Path) -> None:
    inputs = [(f'{METRIC}{{pod="{pod}",{LABELS}}}', "0+1x180") for pod in "ab"]
    inputs.append((f'{METRIC}{{pod="c",{LABELS}}}'.replace('"ai"', '"other"'), "0+1x180"))
    query = f"round({expression(('client',), seconds=3600, matchers=OF)})"
    evaluate(tmp_path, inputs, query, at="180m", expected=[('{client="ai/a"}', 120)])


def test_the_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    values = {"__rate_interval": "5m", "__range": "1d"}
    rules: list[Manifest] = []
    for panel in json.loads(dashboard.render())["panels"]:
        for target in panel.get("targets", ()):
            query = re.sub(r"\$(\w+)", lambda found: values.get(found[1], ".*"), target["expr"])
            rules.append({"record": "dashboard:query", "labels": {"of": str(len(rules))}, "expr": query})
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))
    assert len(rules) > 15


def test_what_is_recorded_is_what_was_spent_and_saved(tmp_path: Path) -> None:
    group: Manifest = render({"metrics": {"prometheusRule": {"enabled": True}}}).all("PrometheusRule")[0]["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": group["groups"][1:]}))
    own = f'client="ai/a",route="ai/r",{OF}'
    series = {
        f"{METRIC}{{{LABELS}}}": "0+1x120",
        f"claude_gateway_cache_saved_dollars_total{{{own}}}": "0+2x120",
        f'claude_gateway_tokens_total{{type="cache_read",{own}}}': "0+9x120",
        f'claude_gateway_tokens_total{{type="input",{own}}}': "0+1x120",
        f'claude_gateway_tokens_total{{type="output",{own}}}': "0+100x120",
    }
    recorded = (
        ("client_route_model:claude_gateway_cost_dollars:increase1h", LABELS, 60),
        ("client:claude_gateway_cache_saved_dollars:increase1h", f'client="ai/a",{OF}', 120),
        ("route:claude_gateway_cache_hits:ratio1h", f'route="ai/r",{OF}', 0.9),
    )
    wanted = {f"{name}{{{labels}}}": value for name, labels, value in recorded}
    cases = [
        {"expr": name, "eval_time": "120m", "exp_samples": [{"labels": name, "value": value}]}
        for name, value in wanted.items()
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": cases,
    }
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(tmp_path / "test.yaml"))
