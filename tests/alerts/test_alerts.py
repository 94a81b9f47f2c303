"""Each alert of the chart is raised by the series that it is about, and by no others; promtool evaluates them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.kube.chart import Manifest, render

OF = 'namespace="ai",app_kubernetes_io_instance="cg"'
ANOTHER = 'namespace="ai",app_kubernetes_io_instance="other"'
WELL = [
    ('claude_gateway_operator_pods{is="ready"}', "2+0x60"),
    ("claude_gateway_operator_reconcile_completed_timestamp_seconds", "0+60x60"),
    ('claude_gateway_operator_conditions{kind="ModelRoute",type="Programmed",status="True"}', "9+0x60"),
    ('claude_gateway_config_in_sync{pod="a"}', "1+0x60"),
    ('claude_gateway_requests_total{route="ai/r"}', "0+600x60"),
    ('claude_gateway_upstream_errors_total{route="ai/r",provider="openai",kind="overloaded"}', "0+6x60"),
    ('claude_gateway_targets_ejected{pod="a"}', "0+0x60"),
    ('claude_gateway_operator_bundle_bytes{part="public"}', "60000+0x60"),
    ('claude_gateway_credential_valid{pod="a",credential="ai/c"}', "1+0x60"),
    ('claude_gateway_credential_valid{pod="b",credential="ai/c"}', "0+0x60"),
    ('claude_gateway_credential_refresh_failures_total{pod="a",credential="ai/c"}', "0+0x30 1+0x30"),
    (
        'claude_gateway_operator_object_condition{kind="ClaudeCredential",name="c",condition="ExpiringSoon"}',
        "0+0x60",
    ),
    ('claude_gateway_budget_spent_dollars{pod="a",budget="ai/b"}', "50+0x1600"),
    ('claude_gateway_budget_spent_dollars{pod="b",budget="ai/b"}', "40+0x1600"),
    ('claude_gateway_budget_limit_dollars{pod="a",budget="ai/b"}', "100+0x1600"),
    ('claude_gateway_requests_total{client="ai/a",route="ai/priced"}', "0+60x1600"),
    ('claude_gateway_cost_estimated_total{client="ai/a",route="ai/priced"}', "0+3x1600"),
    ('claude_gateway_prompt_cache_breaks_total{client="ai/a",route="ai/priced"}', "0+1x1600"),
    ('claude_gateway_cost_dollars_total{client="ai/a",route="ai/priced",model="m"}', "0+1x1600"),
    ('claude_gateway_tokens_total{route="ai/priced",type="cache_read"}', "0+90000x1600"),
    ('claude_gateway_tokens_total{route="ai/priced",type="input"}', "0+20000x1600"),
    ('claude_gateway_tokens_total{route="ai/priced",type="output"}', "0+5000x1600"),
]
"""Series of a release where all is well, one sample a minute."""
TROUBLE = {
    "ClaudeGatewayNoReadyPod": ('claude_gateway_operator_pods{is="ready"}', "0+0x60"),
    "ClaudeGatewayOperatorStalled": ("claude_gateway_operator_reconcile_completed_timestamp_seconds", "0+0x60"),
    "ClaudeGatewayNotProgrammed": (
        'claude_gateway_operator_conditions{kind="ModelRoute",type="Programmed",status="False"}',
        "1+0x60",
    ),
    "ClaudeGatewayConfigNotLive": ('claude_gateway_config_in_sync{pod="a"}', "0+0x60"),
    "ClaudeGatewayUpstreamErrors": (
        'claude_gateway_upstream_errors_total{route="ai/r",provider="openai",kind="overloaded"}',
        "0+90x60",
    ),
    "ClaudeGatewayTargetsEjected": ('claude_gateway_targets_ejected{pod="a"}', "2+0x60"),
    "ClaudeGatewayCredentialRejected": ('claude_gateway_credential_valid{pod="a",credential="ai/c"}', "0+0x60"),
    "ClaudeGatewayCredentialRefreshFailing": (
        'claude_gateway_credential_refresh_failures_total{pod="a",credential="ai/c"}',
        "0+1x60",
    ),
    "ClaudeGatewayCredentialExpiring": (
        'claude_gateway_operator_object_condition{kind="ClaudeCredential",name="c",condition="ExpiringSoon"}',
        "1+0x60",
    ),
    "ClaudeGatewayUsageEventsDropped": ('claude_gateway_usage_events_total{pod="a",result="dropped"}', "0+1x60"),
    "ClaudeGatewayPromptCachesBreak": (
        'claude_gateway_prompt_cache_breaks_total{client="ai/a",route="ai/priced"}',
        "0+20x1600",
    ),
    "ClaudeGatewayPricesUnknown": (
        'claude_gateway_cost_estimated_total{client="ai/a",route="ai/priced"}',
        "0+60x1600",
    ),
    "ClaudeGatewayBudgetNearlySpent": ('claude_gateway_budget_spent_dollars{pod="a",budget="ai/b"}', "90+0x60"),
    "ClaudeGatewayBudgetSpent": ('claude_gateway_budget_spent_dollars{pod="a",budget="ai/b"}', "100+0x60"),
    "ClaudeGatewayBudgetOverspent": ('claude_gateway_budget_spent_dollars{pod="a",budget="ai/b"}', "120+0x60"),
    "ClaudeGatewayBundleNearlyFull": ('claude_gateway_operator_bundle_bytes{part="public"}', "900000+0x60"),
}
"""Alert → the one series of it that is not well."""
CHANGED = {
    "ClaudeGatewayCacheCollapsed": (
        'claude_gateway_tokens_total{route="ai/priced",type="cache_read"}',
        "0+90000x1500 135005000+5000x100",
    ),
    "ClaudeGatewaySpendUnusual": (
        'claude_gateway_cost_dollars_total{client="ai/a",route="ai/priced",model="m"}',
        "0+1x1500 1510+10x100",
    ),
}
"""Alert → the series of it that changes after a day."""
ALERTS = (*TROUBLE, *CHANGED)


@pytest.fixture(scope="module")
def group() -> Manifest:
    values = {"metrics": {"prometheusRule": {"enabled": True}}}
    found: Manifest = render(values).all("PrometheusRule")[0]["spec"]
    return found


def promtool(*arguments: str) -> None:
    """Run promtool. Fails with what it printed."""
    if shutil.which("promtool") is None:
        raise RuntimeError(
            "promtool is not on PATH; it comes with Prometheus, in Debian's package `prometheus`, or by "
            "`go install github.com/prometheus/prometheus/cmd/promtool@latest`"
        )
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def series(name: str, values: str, *, of: str = OF) -> Manifest:
    labelled = name.replace("}", f",{of}}}") if name.endswith("}") else f"{name}{{{of}}}"
    return {"series": labelled, "values": values}


def scenario(
    name: str, inputs: list[Manifest], raised: set[str], *, at: str = "30m", alerts: tuple[str, ...] = ALERTS
) -> Manifest:
    """Which alerts are raised at a time; the labels and texts of those raised are not compared."""
    cases: list[dict[str, Any]] = [
        {"expr": f'count by (alertname) (ALERTS{{alertstate="firing",alertname="{alert}"}})', "eval_time": at}
        for alert in alerts
    ]
    for case, alert in zip(cases, alerts, strict=True):
        labels = f'{{alertname="{alert}"}}'
        case["exp_samples"] = [{"labels": labels, "value": 1}] if alert in raised else []
    return {"name": name, "interval": "1m", "input_series": inputs, "promql_expr_test": cases}


def check(folder: Path, group: Manifest, *scenarios: Manifest) -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump(group))
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": list(scenarios)}
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(folder / "test.yaml"))


def test_the_rules_are_valid(group: Manifest, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(group))
    promtool("check", "rules", str(tmp_path / "rules.yaml"))
    assert {rule["alert"] for rule in group["groups"][0]["rules"]} == set(ALERTS)


def test_no_alert_is_raised_where_all_is_well(group: Manifest, tmp_path: Path) -> None:
    check(tmp_path, group, scenario("well", [series(*found) for found in WELL], set()))


@pytest.mark.parametrize("alert", TROUBLE)
def test_an_alert_is_raised_by_its_own_trouble_alone(group: Manifest, tmp_path: Path, alert: str) -> None:
    name, values = TROUBLE[alert]
    inputs = [series(*found) for found in WELL if found[0] != name]
    check(tmp_path, group, scenario(alert, [*inputs, series(name, values)], {alert}))


@pytest.mark.parametrize("alert", CHANGED)
def test_a_change_after_a_day_is_noticed(group: Manifest, tmp_path: Path, alert: str) -> None:
    money = (*CHANGED, "ClaudeGatewayPromptCachesBreak", "ClaudeGatewayPricesUnknown")
    name, values = CHANGED[alert]
    inputs = [series(*found) for found in WELL if found[0] != name]
    well = scenario("well", [series(*found) for found in WELL], set(), at="26h30m", alerts=money)
    check(tmp_path, group, well, scenario(alert, [*inputs, series(name, values)], {alert}, at="26h30m", alerts=money))


def test_the_trouble_of_another_release_raises_nothing(group: Manifest, tmp_path: Path) -> None:
    inputs = [series(*found) for found in WELL]
    inputs += [series(*found, of=ANOTHER) for found in (*TROUBLE.values(), *CHANGED.values())]
    check(tmp_path, group, scenario("another", inputs, set()))


def test_an_operator_that_is_not_there_is_noticed(group: Manifest, tmp_path: Path) -> None:
    inputs = [series(*found) for found in WELL if "reconcile" not in found[0]]
    check(tmp_path, group, scenario("absent", inputs, {"ClaudeGatewayOperatorStalled"}))
