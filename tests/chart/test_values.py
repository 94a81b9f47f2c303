"""What values the chart takes, and what it says about others."""

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from tests.support.kube.chart import CHART, Manifest, Refused, helm, render
from tools.chart import schema
from tools.chart.values import Value, read

DEFAULTS: Manifest = yaml.safe_load((CHART / "values.yaml").read_text())


def nested(path: str, value: Any) -> Manifest:
    """A tree that has ``value`` at the dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def sections(values: tuple[Value, ...]) -> list[str]:
    return [found for value in values if value.inside for found in (value.path, *sections(value.inside))]


SCHEMA: Manifest = yaml.safe_load(schema.render(Path()))
SECTIONS = sections(read(Path()))


def test_lint_finds_nothing() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(DEFAULTS)


@pytest.mark.parametrize("section", ["", *SECTIONS])
def test_a_name_with_a_typo_is_refused_everywhere(section: str) -> None:
    path = f"{section}.replicsa".removeprefix(".")
    messages = [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(nested(path, 1))]
    assert messages == ["Additional properties are not allowed ('replicsa' was unexpected)"]


REFUSED = [
    ("proxy.replicas", "two"),
    ("proxy.replicas", -1),
    ("proxy.gateway.logLevel", "verbose"),
    ("proxy.gateway.maxBodyBytes", 10),
    ("proxy.gateway.resources", {"limts": {}}),
    ("proxy.gateway.resources", {"limits": {"memory": "lots"}}),
    ("proxy.gateway.readinessProbe", {"perodSeconds": 1}),
    ("proxy.gateway.extraEnv", [{"nam": "X"}]),
    ("proxy.gateway.extraEnv", [{"name": "X", "value": 1}]),
    ("proxy.rollingUpdate", {"maxsurge": 1}),
    ("proxy.podLabels", {"a": 1}),
    ("proxy.topologySpreadConstraints", {"maxSkew": 1}),
    ("operator.watchNamespaces", "team-a"),
    ("operator.watchNamespaces", ["Team_A"]),
    ("operator.resyncSeconds", 0),
    ("images.pullPolicy", "Sometimes"),
    ("images.pullSecrets", ["registry"]),
    ("images.proxy.digest", "sha256:1234"),
    ("images.proxy.tag", "a b"),
    ("images.proxy.repository", ""),
    ("egress.httpsProxy", "proxy:3128"),
    ("proxy.workloadIdentity.expirationSeconds", 60),
    ("proxy.workloadIdentity.tokens", 0),
    ("proxy.workloadIdentity.audience", ""),
    ("egress.allowHosts", ["same", "same"]),
    ("egress.allowLoopback", "yes"),
    ("egress.forwardClientTokenTo", "api.anthropic.com"),
    ("networkPolicy.podIdentity", "169.254.170.23/32"),
    ("fullnameOverride", "Gateway"),
    ("service.type", "ExternalName"),
    ("service.port", 70000),
    ("networkPolicy.apiServer.ports", ["https"]),
    ("ingress.tls", [{"secret": "x"}]),
    ("httpRoute.timeouts", {"requests": "0s"}),
    ("podDisruptionBudget.maxUnavailable", [1]),
    ("tls.secretName", "not a name"),
    ("tls.clientCA", {"name": "ca"}),
    ("clients.proxyCertificates.format", "envoy"),
    ("clients.proxyCertificates.header", "x_cert"),
    ("clients.proxyCertificates.networks", "10.0.0.0/8"),
    ("crds.install", "auto"),
    ("service.ipFamilies", ["IPv5"]),
    ("service.externalTrafficPolicy", "local"),
    ("caBundle.resources", {"limts": {}}),
    ("global.imageRegistry", ["r.example.com"]),
    ("global.imagePullSecrets", [{"nam": "x"}]),
    ("global.compatibility.openshift.adaptSecurityContext", True),
    ("operator.dnsPolicy", "default"),
    ("proxy.litellm.livenessProbe", {"http": {}}),
]


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_a_wrong_value_is_refused_by_helm_with_its_path(path: str, value: Any) -> None:
    with pytest.raises(Refused, match="values don't meet the specifications of the schema") as refused:
        render(nested(path, value))
    assert path.split(".")[-1] in str(refused.value)


CONTRADICTIONS: list[tuple[Manifest, str]] = [
    ({"caBundle": {"configMap": "a", "secret": "b"}}, "caBundle: name a configMap or a secret, not both"),
    ({"proxy": {"terminationGracePeriodSeconds": 600}}, "proxy.terminationGracePeriodSeconds: at least .* 615"),
    ({"operator": {"watchNamespaces": ["ai"]}}, "operator.watchNamespaces: the release's own namespace"),
    ({"operator": {"allNamespaces": True, "namespaceSelector": "a"}}, "operator.allNamespaces: already serves"),
    ({"operator": {"allNamespaces": True, "watchNamespaces": ["a"]}}, "operator.allNamespaces: already serves"),
    ({"metrics": {"podMonitor": {"enabled": True, "lingerSeconds": 46}}}, "lingerSeconds . 10, which is 661"),
    ({"metrics": {kind: {"enabled": True} for kind in ("podMonitor", "serviceMonitor")}}, "metrics: .* not both"),
    ({"tls": {"secretName": "s", "clientCA": {"secretName": "a", "configMapName": "b"}}}, "tls.clientCA: .* not both"),
    ({"tls": {"clientCA": {"secretName": "a"}}}, "tls.secretName: name the gateway.s own certificate"),
    (nested("clients.proxyCertificates.format", "nginx"), "clients.proxyCertificates: trust networks, a secretRef"),
    (
        nested("clients.proxyCertificates", {"format": "pem", "networks": ["10.0.0.0/8"]}),
        "clients.proxyCertificates.header: the format pem has no usual header",
    ),
    (nested("clients.proxyCertificates.networks", ["10.0.0.0/8"]), "clients.proxyCertificates.format: set it"),
    ({"ingress": {"enabled": True}}, "ingress.hosts: name at least one host"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs: name at least one Gateway"),
    ({"service": {"nodePort": 30400}}, "service.type: .* need NodePort or LoadBalancer"),
    ({"service": {"loadBalancerClass": "own"}}, "service.type: .* need NodePort or LoadBalancer"),
    ({"service": {"externalTrafficPolicy": "Local"}}, "service.type: .* need NodePort or LoadBalancer"),
    ({"service": {"trafficDistribution": "PreferClose"}}, "service.trafficDistribution: needs Kubernetes 1.30"),
    ({"autoscaling": {"enabled": True, "minReplicas": 11}}, "autoscaling.minReplicas: not above maxReplicas"),
    (
        {"claudeAuth": {"enabled": True, "oidc": {"issuer": "https://login.example.com", "clientID": "x"}}},
        "claudeAuth.oidc: an issuer needs clientID, and allowed .* or signingKey.name",
    ),
]


@pytest.mark.parametrize(("values", "message"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_refused_with_what_to_do(values: Manifest, message: str) -> None:
    with pytest.raises(Refused, match=message):
        render(values)


def test_an_older_kubernetes_is_refused() -> None:
    with pytest.raises(Refused, match=r"chart requires kubeVersion: >=1\.29\.0-0"):
        render(kubernetes="1.28.9")


TAKEN: list[Manifest] = [
    {"global": {"anything": {"at": "all"}}, "enabled": False},
    {"proxy": {"replicas": 0, "affinity": {"podAntiAffinity": {}}, "preStopSeconds": 0}},
    {"proxy": {"gateway": {"resources": {"limits": {"cpu": 1, "memory": "1.5Gi", "example.com/nic": "1"}}}}},
    {"podDisruptionBudget": {"maxUnavailable": "25%"}},
    {"networkPolicy": {"metricsFrom": [], "models": {"inCluster": False, "cidrs": []}, "dns": False}},
    {"crds": {"install": False}, "rbac": {"create": False, "aggregate": False}, "bootstrap": {"enabled": False}},
]


@pytest.mark.parametrize("values", TAKEN)
def test_values_at_the_edge_are_taken(values: Manifest) -> None:
    assert render(values).manifests
