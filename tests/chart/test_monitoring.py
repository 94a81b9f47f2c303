"""What the chart configures in Prometheus and Grafana: which pods to scrape, which alerts to raise, what to show."""

import re

import pytest
from tests.support.kube.chart import MONITORING, Manifest, Rendered, containers, render
from tools.chart import dashboard
from tools.reference import metrics as reference

KINDS = ("podMonitor", "serviceMonitor", "prometheusRule")
METRIC = re.compile(r"\b(?:claude_gateway|gen_ai)_[a-z_]+")


def monitoring(*kinds: str, apis: tuple[str, ...] = MONITORING, **values: Manifest) -> Rendered:
    return render({"metrics": {**{kind: {"enabled": True} for kind in kinds}, **values}}, apis=apis)


def alerts() -> list[Manifest]:
    rule = monitoring("prometheusRule").all("PrometheusRule")[0]
    found: list[Manifest] = rule["spec"]["groups"][0]["rules"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_without_the_prometheus_operator_gets_none_of_its_objects(kind: str) -> None:
    """Helm would refuse the whole install: "no matches for kind"."""
    rendered = monitoring(kind, apis=())
    assert not [found for found in rendered.manifests if found["apiVersion"].startswith("monitoring.coreos.com")]
    asked = render({"metrics": {kind: {"enabled": True}, "renderMode": "alwaysRender"}}, apis=())
    assert len(asked.all(kind[0].upper() + kind[1:])) == 1


def test_none_is_rendered_unasked(default: Rendered) -> None:
    assert not [found for found in default.manifests if found["apiVersion"].startswith("monitoring.coreos.com")]


@pytest.mark.parametrize("part", ["proxy", "operator"])
def test_a_pod_monitor_selects_the_pods_and_their_port(part: str) -> None:
    rendered = monitoring("podMonitor")
    spec = rendered.all("PodMonitor")[0]["spec"]
    deployment = rendered.one("Deployment", f"{rendered.fullname}-{part}")
    assert spec["selector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    ports = [port["name"] for found in containers(rendered.pod(part)).values() for port in found.get("ports", ())]
    assert ports.count(spec["podMetricsEndpoints"][0]["port"]) == 1
    test = rendered.one("Pod", f"{rendered.fullname}-test")["spec"]["containers"][0]
    assert "ports" not in test


def test_a_drained_pod_stays_for_one_more_scrape() -> None:
    rendered = monitoring("podMonitor")
    env = {found["name"]: found.get("value") for found in containers(rendered.pod("proxy"))["gateway"]["env"]}
    interval = int(rendered.all("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["interval"].rstrip("s"))
    assert int(env["CLAUDE_GATEWAY_LINGER_SECONDS"] or 0) > interval


def test_alerts_name_metrics_that_exist() -> None:
    known = set(METRIC.findall(reference.render()))
    assert len(alerts()) > 5
    for alert in alerts():
        named = set(METRIC.findall(alert["expr"]))
        assert named
        assert named <= known, alert["alert"]


def test_every_series_of_an_alert_is_of_the_release() -> None:
    for alert in alerts():
        series = re.findall(r"claude_gateway_[a-z_]+(\{[^}]*\})?", alert["expr"])
        assert series
        assert all('namespace="ai",app_kubernetes_io_instance="cg"' in labels for labels in series), alert["alert"]
        assert alert["labels"]["release"] == "cg-claude-gateway"
        assert set(alert["annotations"]) == {"summary", "description"}


def test_alerts_can_be_left_out_and_added(everything: Rendered) -> None:
    rules = everything.all("PrometheusRule")[0]["spec"]["groups"][0]["rules"]
    names = [rule.get("alert", rule.get("record")) for rule in rules]
    assert set(names) == {"own"} | {alert["alert"] for alert in alerts()} - {"ClaudeGatewayTargetsEjected"}


def test_an_alert_says_what_to_look_at_and_how_bad_it_is() -> None:
    for alert in alerts():
        assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
        assert alert["labels"]["severity"] in ("critical", "warning")


def test_recorded_sums_name_metrics_that_exist_and_keep_releases_apart() -> None:
    groups = monitoring("prometheusRule").all("PrometheusRule")[0]["spec"]["groups"]
    assert [group["name"] for group in groups] == ["cg-claude-gateway", "cg-claude-gateway-spend"]
    known = set(METRIC.findall(reference.render()))
    for rule in groups[1]["rules"]:
        assert set(rule) == {"record", "expr"}
        assert set(METRIC.findall(rule["expr"])) <= known
        assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9]+", rule["record"])
        series = re.findall(r"claude_gateway_[a-z_]+(\{[^}]*\})", rule["expr"])
        assert all('namespace="ai",app_kubernetes_io_instance="cg"' in labels for labels in series)
        assert rule["expr"].count("by (namespace, app_kubernetes_io_instance, ") == len(series)


def test_the_dashboard_is_a_config_map_that_a_sidecar_of_grafana_finds(default: Rendered) -> None:
    assert "cg-claude-gateway-dashboard" not in default.text
    rendered = render({"metrics": {"dashboard": {"enabled": True, "annotations": {"grafana_folder": "Claude"}}}})
    found = rendered.one("ConfigMap", "cg-claude-gateway-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Claude"}
    assert found["data"] == {"claude-gateway.json": dashboard.render().rstrip("\n")}
