"""How the pods are made: what starts and ends in which order, where they run, what they are called by."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.kube.chart import CHART, Manifest, Rendered, containers, render


def test_sidecars_outlive_the_gateway(default: Rendered) -> None:
    pod = default.pod("proxy")
    assert [(found["name"], found["restartPolicy"]) for found in pod["initContainers"]] == [
        ("litellm", "Always"),
        ("agent", "Always"),
    ]
    assert [found["name"] for found in pod["containers"]] == ["gateway"]


def test_running_answers_are_given_their_time(default: Rendered) -> None:
    pod = default.pod("proxy")
    gateway = containers(pod)["gateway"]
    assert gateway["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    drain = next(int(found["value"]) for found in gateway["env"] if found["name"] == "CLAUDE_GATEWAY_SHUTDOWN_SECONDS")
    assert pod["terminationGracePeriodSeconds"] >= 5 + drain + 10


def test_a_new_pod_is_ready_before_an_old_one_goes(default: Rendered) -> None:
    spec = default.one("Deployment", "cg-claude-gateway-proxy")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_new_operator_works_before_the_old_one_goes(default: Rendered) -> None:
    """So that one that cannot start (a wrong tag) takes nothing away."""
    spec = default.one("Deployment", "cg-claude-gateway-operator")["spec"]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert (spec["replicas"], spec["strategy"]) == (1, rolling)


def test_the_operator_leaves_a_dead_node_within_half_a_minute(default: Rendered) -> None:
    tolerated = {found["key"]: found["tolerationSeconds"] for found in default.pod("operator")["tolerations"]}
    assert tolerated == {"node.kubernetes.io/unreachable": 30, "node.kubernetes.io/not-ready": 30}


def test_every_process_is_watched(default: Rendered) -> None:
    gateway = containers(default.pod("proxy"))["gateway"]
    assert gateway["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert gateway["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert gateway["startupProbe"]["periodSeconds"] == 1
    assert [name for name, found in containers(default.pod("proxy")).items() if "livenessProbe" not in found] == []
    operator = containers(default.pod("operator"))["operator"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(operator)


def test_gateway_and_translator_decide_whether_a_pod_gets_requests(default: Rendered) -> None:
    """The readiness of a sidecar counts for its pod; without an agent the rest serves on what it has."""
    pod = default.pod("proxy")
    assert [name for name, found in containers(pod).items() if "readinessProbe" in found] == ["litellm", "gateway"]
    litellm = containers(pod)["litellm"]
    assert litellm["readinessProbe"]["exec"] == litellm["livenessProbe"]["exec"]
    # A startup probe of a sidecar would hold up the gateway, which can relay without a translator.
    assert [found["name"] for found in pod["initContainers"] if "startupProbe" in found] == []


def test_pods_are_spread_by_release_and_revision(everything: Rendered, default: Rendered) -> None:
    own, given = everything.pod("proxy")["topologySpreadConstraints"]
    assert own["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "proxy"
    assert own["matchLabelKeys"] == ["pod-template-hash"]
    assert given["labelSelector"] == {"matchLabels": {"own": "true"}}
    assert "matchLabelKeys" not in given
    zones = [found["topologyKey"] for found in default.pod("proxy")["topologySpreadConstraints"]]
    assert zones == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "claude-gateway/proxy:0.1.0"),
        ({"registry": "r.example.com/m/"}, "r.example.com/m/claude-gateway/proxy:0.1.0"),
        ({"proxy": {"tag": "1.2.3"}}, "claude-gateway/proxy:1.2.3"),
        ({"proxy": {"tag": "1", "digest": f"sha256:{'0' * 64}"}}, f"claude-gateway/proxy@sha256:{'0' * 64}"),
    ],
)
def test_images_by_registry_tag_and_digest(image: Manifest, expected: str) -> None:
    rendered = render({"images": image})
    assert {found["image"] for found in containers(rendered.pod("proxy")).values()} == {expected}
    assert containers(rendered.one("Pod", "cg-claude-gateway-test")["spec"])["test"]["image"] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"global": {"imageRegistry": "mirror.example.com"}}, "mirror.example.com/claude-gateway/proxy:0.1.0"),
        ({"global": {"imageRegistry": "parent"}, "images": {"registry": "own"}}, "own/claude-gateway/proxy:0.1.0"),
    ],
)
def test_the_registry_of_a_parent_chart_is_used_unless_there_is_an_own(values: Manifest, expected: str) -> None:
    rendered = render({**values, "caBundle": {"configMap": "ca"}})
    images = {found["image"] for _, pod in rendered.pods() for found in containers(pod).values()}
    assert images == {expected, expected.replace("proxy", "operator")}


def test_pull_secrets_of_a_parent_chart_are_added_to_every_pod() -> None:
    shared: Manifest = {"imagePullSecrets": ["bare", {"name": "reference"}, {"name": "own"}]}
    rendered = render({"global": shared, "images": {"pullSecrets": [{"name": "own"}]}})
    for _, pod in rendered.pods():
        assert [found["name"] for found in pod["imagePullSecrets"]] == ["own", "bare", "reference"]


def test_own_init_containers_run_before_all_others(everything: Rendered) -> None:
    """They may fetch what the others need; the chart's own are sidecars that run until the end."""
    assert [found["name"] for found in everything.pod("proxy")["initContainers"]] == [
        *("first", "trust", "litellm", "agent")
    ]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
        ({"minAvailable": 2}, {"minAvailable": 2}),
        ({"minAvailable": 0}, {"minAvailable": 0}),
        ({"minAvailable": "50%", "maxUnavailable": None}, {"minAvailable": "50%"}),
    ],
)
def test_a_budget_has_a_minimum_or_a_maximum(budget: Manifest, expected: Manifest) -> None:
    spec = render({"podDisruptionBudget": budget}).all("PodDisruptionBudget")[0]["spec"]
    assert {name: spec[name] for name in ("minAvailable", "maxUnavailable") if name in spec} == expected


def test_a_service_prefers_the_pods_of_a_zone_where_kubernetes_can() -> None:
    rendered = render({"service": {"trafficDistribution": "PreferClose"}}, kubernetes="1.31.0")
    assert rendered.one("Service", rendered.fullname)["spec"]["trafficDistribution"] == "PreferClose"


def test_an_autoscaler_needs_no_adapter_and_owns_the_number_of_pods(everything: Rendered) -> None:
    for part, container in (("proxy", "gateway"), ("claude-code", "claude-code")):
        name = f"cg-claude-gateway-{part}"
        assert "replicas" not in everything.one("Deployment", name)["spec"]
        scaler = everything.one("HorizontalPodAutoscaler", name)["spec"]
        assert scaler["scaleTargetRef"]["name"] == name
        assert {metric["type"] for metric in scaler["metrics"]} <= {"ContainerResource", "Resource"}
        assert scaler["metrics"][0]["containerResource"]["container"] == container


def test_services_reach_ports_that_the_pods_have(everything: Rendered) -> None:
    ports = {
        part: {port["name"] for found in containers(everything.pod(part)).values() for port in found.get("ports", ())}
        for part in ("proxy", "operator", "claude-code", "claude-auth")
    }
    for service in everything.all("Service"):
        part = service["spec"]["selector"]["app.kubernetes.io/component"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[part]


def test_agents_are_found_when_their_pod_is_ready(default: Rendered) -> None:
    spec = default.one("Service", "cg-claude-gateway-agent")["spec"]
    assert spec["clusterIP"] == "None"
    assert "publishNotReadyAddresses" not in spec


def test_the_test_pod_uses_the_key_that_there_is(default: Rendered, everything: Rendered) -> None:
    def key(rendered: Rendered) -> tuple[str, str]:
        container = containers(rendered.one("Pod", "cg-claude-gateway-test")["spec"])["test"]
        found = next(found for found in container["env"] if found["name"] == "CLIENT_KEY")
        reference = found["valueFrom"]["secretKeyRef"]
        return reference["name"], reference["key"]

    assert key(default) == ("cg-claude-gateway-bootstrap", "key")
    assert key(render({"bootstrap": {"existingSecret": {"name": "old", "key": "k"}}})) == ("old", "k")
    assert key(everything) == ("tester", "token")


def test_private_authorities_are_added_to_the_public_ones(tmp_path: Path) -> None:
    private, bundle = tmp_path / "private.pem", tmp_path / "bundle.pem"
    private.write_text("-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n")
    done = trust(private, bundle)
    assert done.returncode == 0, done.stderr
    text = bundle.read_text()
    assert text.endswith(private.read_text())
    assert text.count("-----BEGIN CERTIFICATE-----") > 100


def test_a_bundle_without_a_certificate_keeps_the_pod_from_starting(tmp_path: Path) -> None:
    (tmp_path / "private.pem").write_text("nothing")
    done = trust(tmp_path / "private.pem", tmp_path / "bundle.pem")
    assert done.returncode == 1
    assert "holds no PEM certificate" in done.stderr


def trust(private: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    """Run the container's own script."""
    return subprocess.run(
        [sys.executable, "-c", (CHART / "files/trust.py").read_text()],
        env={"PRIVATE": str(private), "BUNDLE": str(bundle)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
