"""Every setting of every process is set by the chart, from a value or because the pod is built so."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_settings import BaseSettings
from tests.chart.test_values import nested
from tests.support.kube.chart import Manifest, Rendered, containers, environment, render

from claude_gateway_operator.settings import Settings as OperatorSettings
from claude_gateway_proxy.agent.settings import Settings as AgentSettings
from claude_gateway_proxy.gateway.settings import Settings as GatewaySettings
from claude_gateway_proxy.litellm.settings import Settings as LiteLLMSettings

PROCESSES: dict[str, tuple[str, type[BaseSettings]]] = {
    "operator": ("operator", OperatorSettings),
    "gateway": ("proxy", GatewaySettings),
    "litellm": ("proxy", LiteLLMSettings),
    "agent": ("proxy", AgentSettings),
}

ON: Manifest = {"enabled": True}


def _valkey(**more: Any) -> Manifest:
    return nested("limits.valkey", {"address": "v:6379", **more})


def _cache_valkey(**more: Any) -> Manifest:
    return nested("proxy.gateway.cacheValkey", {"address": "v:6379", **more})


def _tls(**authorities: str) -> Manifest:
    return nested("tls", {"secretName": "s", "clientCA": authorities})


def _proxies(**more: Any) -> Manifest:
    return nested("clients.proxyCertificates", {"format": "xfcc", "networks": ["10.0.0.0/8", "fd00::/8"], **more})


# Process → setting → values that change it, and what it then is.
REACHED: dict[str, dict[str, tuple[Manifest, str]]] = {
    "operator": {
        "release": ({"fullnameOverride": "llm"}, "llm"),
        "watch_namespaces": (nested("operator.watchNamespaces", ["a", "b"]), "a,b"),
        "all_namespaces": (nested("operator.allNamespaces", True), "true"),
        "namespace_selector": (nested("operator.namespaceSelector", "ai=enabled"), "ai=enabled"),
        "egress_loopback": (nested("egress.allowLoopback", True), "true"),
        "egress_hosts": (nested("egress.allowHosts", ["10.0.0.1", "h"]), "10.0.0.1,h"),
        "identity_namespaces": (nested("operator.identityNamespaces", ["team-a", "team-b"]), "team-a,team-b"),
        "identity_token": (nested("proxy.workloadIdentity.enabled", True), "true"),
        "service_account_audience": (nested("clients.serviceAccountAudience", "llm"), "llm"),
        "client_certificates": (_proxies(), "true"),
        "forward_hosts": (nested("egress.forwardClientTokenTo", ["relay.example", "h"]), "relay.example,h"),
        "claude_code_url": (nested("claudeCode.enabled", True), "http://cg-claude-gateway-claude-code.ai.svc:4100"),
        "claude_auth_enabled": ({"claudeCode": ON, "claudeAuth": ON}, "true"),
        "claude_auth_url": (
            {"claudeCode": ON, "claudeAuth": {**ON, "publicURL": "https://c.example/"}},
            "https://c.example/auth",
        ),
        "caller_secrets": ({"claudeCode": {**ON, "callerSecrets": ["ai/a", "b/c"]}}, "ai/a,b/c"),
        "bootstrap_enabled": (nested("bootstrap.enabled", False), "false"),
        "bootstrap_secret_name": (nested("bootstrap.existingSecret", {"name": "old"}), "old"),
        "bootstrap_secret_key": (nested("bootstrap.existingSecret", {"name": "old", "key": "k"}), "k"),
        "resync_seconds": (nested("operator.resyncSeconds", 7), "7"),
        "unhealthy_after_seconds": (nested("operator.unhealthyAfterSeconds", 8), "8"),
        "log_level": (nested("operator.logLevel", "debug"), "debug"),
    },
    "gateway": {
        "tls_listen": (nested("tls.secretName", "s"), ":4443"),
        "tls_cert_file": (nested("tls.secretName", "s"), "/etc/claude-gateway/tls/tls.crt"),
        "tls_key_file": (nested("tls.secretName", "s"), "/etc/claude-gateway/tls/tls.key"),
        "tls_client_ca_file": (_tls(secretName="c", key="a.pem"), "/etc/claude-gateway/client-ca/a.pem"),
        "client_cert_format": (_proxies(), "xfcc"),
        "client_cert_header": (_proxies(header="X-Cert"), "X-Cert"),
        "client_cert_networks": (_proxies(), "10.0.0.0/8,fd00::/8"),
        "client_cert_secret_file": (
            _proxies(secretRef={"name": "p"}),
            "/etc/claude-gateway/proxy-secret/secret",
        ),
        "identity_token_file": (nested("proxy.workloadIdentity.enabled", True), "/var/run/secrets/anthropic.com"),
        "sign_in_url": (
            {
                "claudeCode": ON,
                "claudeAuth": {
                    **ON,
                    "publicURL": "https://c.example",
                    "oidc": {"issuer": "https://i.example", "clientID": "c"},
                    "signingKey": {"name": "s"},
                },
            },
            "http://cg-claude-gateway-claude-auth.ai.svc:4200",
        ),
        "max_body_bytes": (nested("proxy.gateway.maxBodyBytes", 1048576), "1048576"),
        "max_in_flight": (nested("proxy.gateway.maxInFlight", 5), "5"),
        "max_in_flight_per_client": (nested("proxy.gateway.maxInFlightPerClient", 4), "4"),
        "max_buffered_bytes": (nested("proxy.gateway.maxBufferedBytes", 1073741824), "1073741824"),
        "max_buffered_bytes_per_client": (nested("proxy.gateway.maxBufferedBytesPerClient", 1048576), "1048576"),
        "cache_valkey_address": (_cache_valkey(), "v:6379"),
        "cache_valkey_prefix": (_cache_valkey(), "ai/cg-claude-gateway"),
        "cache_valkey_tls": (_cache_valkey(tls=True), "true"),
        "cache_valkey_username": (_cache_valkey(username="u"), "u"),
        "cache_valkey_ca_file": (
            _cache_valkey(caSecretRef={"name": "c"}),
            "/etc/claude-gateway/cache-valkey-ca/ca.crt",
        ),
        "cache_valkey_password_file": (
            _cache_valkey(passwordSecretRef={"name": "p", "key": "pw"}),
            "/etc/claude-gateway/cache-valkey/pw",
        ),
        "cache_bytes": (nested("proxy.gateway.cacheBytes", 0), "0"),
        "max_connections": (nested("proxy.gateway.maxConnections", 0), "0"),
        "max_connections_per_address": (nested("proxy.gateway.maxConnectionsPerAddress", 7), "7"),
        "body_seconds": (nested("proxy.gateway.bodySeconds", 20), "20"),
        "ping_seconds": (nested("proxy.gateway.pingSeconds", 0), "0"),
        "queue_seconds": (nested("limits.queueSeconds", 0), "0"),
        "max_queued_per_client": (nested("limits.maxQueuedPerClient", 3), "3"),
        "valkey_address": (_valkey(), "v:6379"),
        "valkey_prefix": (_valkey(), "ai/cg-claude-gateway"),
        "valkey_tls": (_valkey(tls=True), "true"),
        "valkey_username": (_valkey(username="u"), "u"),
        "valkey_ca_file": (_valkey(caSecretRef={"name": "c"}), "/etc/claude-gateway/valkey-ca/ca.crt"),
        "valkey_password_file": (
            _valkey(passwordSecretRef={"name": "p", "key": "pw"}),
            "/etc/claude-gateway/valkey/pw",
        ),
        "when_valkey_unavailable": (
            {"limits": {"whenUnavailable": "Reject", "valkey": {"address": "v:6379"}}},
            "reject",
        ),
        "sigv4": (nested("proxy.gateway.sigv4", "ignore"), "ignore"),
        "cors_origins": (nested("proxy.gateway.corsOrigins", ["https://a.b", "*"]), "https://a.b,*"),
        "max_connection_age_seconds": (nested("proxy.gateway.maxConnectionAgeSeconds", 60), "60"),
        "shutdown_seconds": (nested("proxy.drainSeconds", 30), "30"),
        "usage_sink": (nested("usageEvents.sink", "otlp+https://c.example/v1/logs"), "otlp+https://c.example/v1/logs"),
        "usage_sink_headers_file": (
            nested("usageEvents", {"sink": "https://c.example", "headersSecret": {"name": "s", "key": "k"}}),
            "/etc/claude-gateway/usage/k",
        ),
        "usage_spool_dir": (nested("usageEvents.sink", "https://c.example"), "/var/lib/claude-gateway/usage"),
        "usage_spool_bytes": (
            nested("usageEvents", {"sink": "https://c.example", "spool": {"maxBytes": 100000000}}),
            "100000000",
        ),
        "linger_seconds": (nested("metrics.podMonitor", {"enabled": True, "lingerSeconds": 20}), "20"),
        "log_level": (nested("proxy.gateway.logLevel", "debug"), "debug"),
    },
    "litellm": {
        "shutdown_seconds": (nested("proxy.litellm.drainSeconds", 30), "30"),
        "log_level": (nested("proxy.litellm.logLevel", "debug"), "debug"),
    },
    "agent": {
        "bundle_name": ({"fullnameOverride": "llm"}, "llm-bundle"),
        "allotment_name": ({"fullnameOverride": "llm"}, "llm-allotment"),
        "log_level": (nested("proxy.agent.logLevel", "debug"), "debug"),
    },
}

POD_NAMESPACE = {"fieldRef": {"fieldPath": "metadata.namespace"}}
POD_NAME = {"fieldRef": {"fieldPath": "metadata.name"}}
# What follows from how the pods are built.
BUILT_SO: dict[str, dict[str, Any]] = {
    "operator": {
        "namespace": POD_NAMESPACE,
        "agent_port": "9090",
        "health_listen": "[$(POD_IP)]:8080",
        "metrics_listen": ":9090",
    },
    "gateway": {"run_dir": "/run/claude-gateway", "listen": ":4000", "leases": "true"},
    "litellm": {"run_dir": "/run/claude-gateway"},
    "agent": {
        "run_dir": "/run/claude-gateway",
        "source": "kubernetes",
        "namespace": POD_NAMESPACE,
        "pod_name": POD_NAME,
        "metrics_listen": ":9090",
    },
}

# What the process finds at the places where Kubernetes puts it into every pod, or keeps in its own folder.
FOUND = {
    "gateway": {"spend_file"},
    "agent": {
        *("source_dir", "namespace_file", "token_file", "ca_file"),
        *("kubernetes_service_host", "kubernetes_service_port"),
    },
}


def variable(settings: type[BaseSettings], field: str) -> str:
    alias = settings.model_fields[field].validation_alias
    return str(alias) if alias else f"{settings.model_config['env_prefix']}{field}".upper()


def variables(rendered: Rendered, process: str) -> Mapping[str, Any]:
    deployments = [found["metadata"]["name"] for found in rendered.all("Deployment")]
    full = next(name.removesuffix("-operator") for name in deployments if name.endswith("-operator"))
    deployment = rendered.one("Deployment", f"{full}-{PROCESSES[process][0]}")
    return environment(containers(deployment["spec"]["template"]["spec"])[process])


@pytest.mark.parametrize("process", PROCESSES)
def test_no_setting_was_forgotten(process: str) -> None:
    known = {*REACHED[process], *BUILT_SO[process], *FOUND.get(process, ())}
    assert known == set(PROCESSES[process][1].model_fields)


@pytest.mark.parametrize(("process", "setting"), [(process, name) for process in REACHED for name in REACHED[process]])
def test_a_setting_follows_its_value(default: Rendered, process: str, setting: str) -> None:
    values, expected = REACHED[process][setting]
    name = variable(PROCESSES[process][1], setting)
    assert variables(render(values), process)[name] == expected
    assert variables(default, process).get(name) != expected


@pytest.mark.parametrize("process", PROCESSES)
def test_the_rest_is_as_the_pod_is_built(default: Rendered, process: str) -> None:
    settings = PROCESSES[process][1]
    found = variables(default, process)
    assert {name: found[variable(settings, name)] for name in BUILT_SO[process]} == BUILT_SO[process]


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("rendering", ["default", "everything"])
def test_the_process_takes_what_it_is_given(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, rendering: str, process: str
) -> None:
    found = variables(request.getfixturevalue(rendering), process)
    settings = PROCESSES[process][1]
    known = {variable(settings, name) for name in settings.model_fields}
    ours = {name for name in found if name.startswith("CLAUDE_GATEWAY_")}
    assert ours <= known
    for name, value in {"KUBERNETES_SERVICE_HOST": "10.96.0.1", **found}.items():
        text = value if isinstance(value, str) else "from-the-cluster"
        monkeypatch.setenv(name, text.replace("$(POD_IP)", "10.244.0.7"))
    settings()


@pytest.mark.parametrize("values", [_tls(secretName="ca"), _tls(configMapName="ca"), _proxies()])
def test_the_operator_knows_who_verifies_certificates(values: Manifest) -> None:
    assert OperatorSettings.model_fields["client_certificates"].default is False
    assert variables(render(values), "operator")["CLAUDE_GATEWAY_OPERATOR_CLIENT_CERTIFICATES"] == "true"


@pytest.mark.parametrize("process", ["gateway", "litellm"])
def test_both_ways_to_models_know_proxies_and_authorities(everything: Rendered, process: str) -> None:
    found = variables(everything, process)
    assert found["HTTPS_PROXY"] == found["HTTP_PROXY"] == "http://proxy.example.com:3128"
    # No proxy may hand out the identity of its own machine in place of the pod's.
    assert {"localhost", ".svc", "169.254.169.254", "169.254.170.23"} <= set(found["NO_PROXY"].split(","))
    assert found["SSL_CERT_FILE"] == found["REQUESTS_CA_BUNDLE"] == "/run/claude-gateway/ca.pem"


@pytest.mark.parametrize("process", ["operator", "agent"])
def test_who_talks_to_the_cluster_knows_no_proxy(everything: Rendered, process: str) -> None:
    assert not {"HTTPS_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} & set(
        variables(everything, process)
    )
