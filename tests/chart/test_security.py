"""Pods pass where the ``restricted`` Pod Security Standard is enforced, and write nowhere but in memory."""

import ipaddress
from pathlib import PurePath
from typing import Any

import pytest
from tests.chart.test_removed_values import changed, sections
from tests.support.kube.chart import Manifest, Rendered, containers, render

from claude_gateway.names import BUNDLE_DIR, GATEWAY_SOCKET, LITELLM_SOCKET

METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]
VOLUMES = {"configMap", "secret", "projected", "emptyDir", "downwardAPI", "persistentVolumeClaim", "csi", "ephemeral"}
OURS = {"operator", "leaving", "trust", "litellm", "agent", "gateway", "test", "claude-code", "claude-auth"}
CLAUDE: Manifest = {"claudeCode": {"enabled": True}, "claudeAuth": {"enabled": True}}


def both(default: Rendered, everything: Rendered) -> list[tuple[str, Manifest]]:
    return [*default.pods(), *everything.pods()]


def test_every_pod_is_restricted(default: Rendered, everything: Rendered) -> None:
    for name, pod in both(default, everything):
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod), name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {kind for volume in pod.get("volumes", ()) for kind in volume if kind != "name"} <= VOLUMES


def test_every_container_is_restricted(default: Rendered, everything: Rendered) -> None:
    for _, pod in both(default, everything):
        for name, container in containers(pod).items():
            if name in OURS:
                security = container["securityContext"]
                assert security["allowPrivilegeEscalation"] is False
                assert security["readOnlyRootFilesystem"] is True
                assert security["capabilities"] == {"drop": ["ALL"]}
                assert not [port for port in container.get("ports", ()) if "hostPort" in port]


def test_users_settings_are_laid_over_those_of_the_chart(everything: Rendered) -> None:
    for part, names in (("operator", ["operator"]), ("proxy", ["gateway", "litellm", "agent"])):
        pod = everything.pod(part)
        assert (pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsUser"]) == (1000, 65532)
        found = containers(pod)
        assert [found[name]["securityContext"]["runAsUser"] for name in names] == [1000] * len(names)


def test_every_container_has_requests_and_a_memory_limit(default: Rendered, everything: Rendered) -> None:
    for _, pod in both(default, everything):
        for name, container in containers(pod).items():
            if name in OURS:
                assert set(container["resources"]["requests"]) == {"cpu", "memory"}
                assert "memory" in container["resources"]["limits"]


def test_a_quota_on_cpu_limits_can_be_met(all_values: Manifest) -> None:
    """Of the pods of hooks and of the test, too: one that may not start fails an uninstall."""
    values = all_values
    for value in (found for section in sections() for found in section.inside if found.path.endswith("resources")):
        values = changed(values, value.path, {"limits": {"cpu": "1"}})
    rendered = render(values)
    for _, pod in rendered.pods():
        for name, container in containers(pod).items():
            assert name not in OURS or container["resources"]["limits"]["cpu"] == "1", name


def test_the_shared_folders_are_in_memory_and_bounded(default: Rendered, everything: Rendered) -> None:
    volumes = {volume["name"]: volume for volume in default.pod("proxy")["volumes"]}
    for name in ("bundle", "gateway", "litellm"):
        assert volumes[name]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert "trust" not in volumes
    trust = next(volume for volume in everything.pod("proxy")["volumes"] if volume["name"] == "trust")
    assert trust["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Mi"}


@pytest.mark.parametrize(
    ("volume", "path", "writer", "readers"),
    [
        ("bundle", f"/run/claude-gateway/{BUNDLE_DIR}", "agent", {"gateway", "litellm"}),
        ("gateway", f"/run/claude-gateway/{PurePath(GATEWAY_SOCKET).parent}", "gateway", {"agent"}),
        ("litellm", f"/run/claude-gateway/{PurePath(LITELLM_SOCKET).parent}", "litellm", {"agent", "gateway"}),
        ("trust", "/run/claude-gateway/ca.pem", "trust", {"gateway", "litellm"}),
    ],
)
def test_each_shared_folder_has_one_writer(
    everything: Rendered, volume: str, path: str, writer: str, readers: set[str]
) -> None:
    """A compromised worker must not be able to swap the bundle, the authorities or the gateway's socket."""
    for name, container in containers(everything.pod("proxy")).items():
        mounts = [mount for mount in container.get("volumeMounts", ()) if mount["name"] == volume]
        if name == writer:
            assert [mount.get("readOnly", False) for mount in mounts] == [False]
        elif name in readers:
            assert [(mount["mountPath"], mount["readOnly"]) for mount in mounts] == [(path, True)]
        else:
            assert mounts == []


def test_no_two_containers_write_one_folder(default: Rendered) -> None:
    mounts = [mount for each in containers(default.pod("proxy")).values() for mount in each["volumeMounts"]]
    written = [mount["name"] for mount in mounts if not mount.get("readOnly")]
    assert sorted(written) == ["bundle", "gateway", "litellm"]


def test_what_a_process_writes_by_itself_is_in_its_own_folder(default: Rendered) -> None:
    """No process may plant a file that another takes for its own settings (``~/.aws/config``)."""
    for container in containers(default.pod("proxy")).values():
        written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        env = {each["name"]: each.get("value") for each in container["env"]}
        assert {env["HOME"]} == {env["TMPDIR"]} == written


def allows(policy: Manifest, address: str, port: int) -> bool:
    """Whether a rule of egress with networks lets a TCP connection to that address go."""
    target = ipaddress.ip_address(address)

    def inside(network: str) -> bool:
        return target in ipaddress.ip_network(network)

    for rule in policy["spec"]["egress"]:
        ports = [found["port"] for found in rule.get("ports", ())]
        blocks: list[dict[str, Any]] = [peer["ipBlock"] for peer in rule.get("to", ()) if "ipBlock" in peer]
        named = any(inside(block["cidr"]) and not any(map(inside, block.get("except", ()))) for block in blocks)
        if (named or "to" not in rule) and (not ports or port in ports):
            return True
    return False


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("part", ["proxy", "operator"])
def test_no_pod_may_ask_for_the_machines_credentials(default: Rendered, part: str, address: str) -> None:
    policy = default.one("NetworkPolicy", f"cg-claude-gateway-{part}")
    assert not any(allows(policy, address, port) for port in (80, 443, 8080, 6443))


def test_models_and_api_server_may_be_called(default: Rendered) -> None:
    proxy = default.one("NetworkPolicy", "cg-claude-gateway-proxy")
    operator = default.one("NetworkPolicy", "cg-claude-gateway-operator")
    assert all(allows(proxy, address, port) for address in ("160.79.104.10", "2607:6bc0::10") for port in (443, 8000))
    assert all(allows(operator, "10.96.0.1", port) for port in (443, 6443))
    assert not allows(operator, "160.79.104.10", 8000)
    assert {"namespaceSelector": {}} in proxy["spec"]["egress"][-1]["to"]


def test_egress_can_be_narrowed(everything: Rendered) -> None:
    proxy = everything.one("NetworkPolicy", "cg-claude-gateway-proxy")
    assert allows(proxy, "203.0.113.9", 443)
    assert allows(proxy, "10.96.0.1", 443)
    assert allows(proxy, "10.0.0.7", 9999)
    assert not allows(proxy, "203.0.113.9", 8000)
    assert not allows(proxy, "160.79.104.10", 443)
    assert not allows(proxy, "10.96.0.1", 6443)


def test_metrics_can_be_closed_to_all_but_the_operator() -> None:
    rendered = render({"networkPolicy": {"metricsFrom": []}})
    operator = rendered.one("NetworkPolicy", "cg-claude-gateway-operator")
    proxy = rendered.one("NetworkPolicy", "cg-claude-gateway-proxy")
    assert "ingress" not in operator["spec"]
    peers = next(rule["from"] for rule in proxy["spec"]["ingress"] if rule["ports"][0]["port"] == "metrics")
    components = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in peers]
    assert components == ["operator"]


def test_policies_can_be_left_to_others() -> None:
    assert render({"networkPolicy": {"enabled": False}}).all("NetworkPolicy") == []


def openshift(adapt: str) -> Manifest:
    return {"global": {"compatibility": {"openshift": {"adaptSecurityContext": adapt}}}}


@pytest.mark.parametrize(
    ("values", "apis", "chosen"),
    [
        ({}, [], True),
        ({}, ["security.openshift.io/v1"], False),
        (openshift("auto"), ["security.openshift.io/v1"], False),
        (openshift("auto"), [], True),
        (openshift("force"), [], False),
        (openshift("disabled"), ["security.openshift.io/v1"], True),
    ],
)
def test_openshift_chooses_the_ids_of_every_pod(values: Manifest, apis: list[str], chosen: bool) -> None:
    """The SCC ``restricted-v2`` rejects ids outside of the namespace's range, and sets its own where there are none."""
    for name, pod in render({**values, "caBundle": {"configMap": "ca"}}, apis=apis).pods():
        ids = {"runAsUser", "runAsGroup", "fsGroup"}
        assert ids & set(pod["securityContext"]) == (ids if chosen else set()), name
        assert not [found for found in containers(pod).values() if ids & set(found["securityContext"])]
        assert pod["securityContext"]["runAsNonRoot"] is True


def test_ids_that_a_user_sets_stay_on_openshift() -> None:
    values: Manifest = {**openshift("force"), "proxy": {"podSecurityContext": {"runAsUser": 1000650000}}}
    assert render(values).pod("proxy")["securityContext"]["runAsUser"] == 1000650000


def peers(rendered: Rendered, part: str, port: str) -> list[Manifest] | None:
    """Who may reach a port of a part: None is everyone, no peers nobody."""
    rules = rendered.one("NetworkPolicy", f"cg-claude-gateway-{part}")["spec"]["ingress"]
    found = [rule.get("from") for rule in rules if rule["ports"][0]["port"] == port]
    if not found:
        return []
    return None if found[0] is None else list(found[0])


def test_only_the_proxy_and_named_callers_reach_the_backend(everything: Rendered) -> None:
    (proxy,) = peers(render(CLAUDE), "claude-code", "http") or []
    assert proxy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "proxy"
    _, caller = peers(everything, "claude-code", "http") or []
    assert caller == {"namespaceSelector": {"matchLabels": {"graph": "true"}}}


def test_nobody_reaches_the_page_unless_it_is_exposed(everything: Rendered) -> None:
    assert peers(render(CLAUDE), "claude-auth", "http") == []
    exposed = {**CLAUDE, "claudeAuth": {"enabled": True, "ingress": {"enabled": True, "hosts": ["c.example"]}}}
    assert peers(render(exposed), "claude-auth", "http") is None
    assert peers(everything, "claude-auth", "http") == [{"namespaceSelector": {"matchLabels": {"ingress": "true"}}}]


@pytest.mark.parametrize("part", ["claude-code", "claude-auth"])
def test_claude_code_calls_the_outside_alone(part: str) -> None:
    policy = render(CLAUDE).one("NetworkPolicy", f"cg-claude-gateway-{part}")
    assert allows(policy, "160.79.104.10", 443)
    assert not allows(policy, "160.79.104.10", 8000)
    assert allows(policy, "10.96.0.1", 6443) == (part == "claude-auth")
    assert not any(allows(policy, address, port) for address in METADATA for port in (80, 443, 6443))
    assert not [peer for rule in policy["spec"]["egress"] for peer in rule.get("to", ()) if "ipBlock" not in peer]


@pytest.mark.parametrize(
    ("issuer", "port"), [("https://login.example.com/realms/x", 443), ("https://idp.auth.svc:8443", 8443)]
)
def test_the_page_reaches_the_identity_provider_in_the_cluster_too(issuer: str, port: int) -> None:
    oidc = {"issuer": issuer, "clientID": "page", "allowed": ["ada@example.com"]}
    values: Manifest = {**CLAUDE, "claudeAuth": {"enabled": True, "oidc": oidc}}
    policy = render(values).one("NetworkPolicy", "cg-claude-gateway-claude-auth")
    assert allows(policy, "10.0.0.7", port)
    assert not any(allows(policy, address, port) for address in METADATA)
    assert {"namespaceSelector": {}} in [peer for rule in policy["spec"]["egress"] for peer in rule.get("to", ())]


def test_the_proxy_reaches_the_backend_without_a_rule_for_models_in_the_cluster() -> None:
    closed = {**CLAUDE, "networkPolicy": {"models": {"inCluster": False, "cidrs": []}}}
    rules = render(closed).one("NetworkPolicy", "cg-claude-gateway-proxy")["spec"]["egress"]
    parts = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rules[-1]["to"]]
    assert parts == ["claude-code"]


def test_private_homes_are_in_memory_and_bounded() -> None:
    rendered = render(CLAUDE)
    for part, size in (("claude-code", "256Mi"), ("claude-auth", "128Mi")):
        run = next(volume for volume in rendered.pod(part)["volumes"] if volume["name"] == "run")
        assert run["emptyDir"] == {"medium": "Memory", "sizeLimit": size}


def test_a_login_has_one_writer() -> None:
    spec = render(CLAUDE).one("Deployment", "cg-claude-gateway-claude-auth")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_claude_code_is_off_by_default(default: Rendered) -> None:
    assert not [found for found in default.manifests if "claude-code" in str(found["metadata"]["name"])]
    assert not [found for found in default.manifests if "claude-auth" in str(found["metadata"]["name"])]


def test_the_page_is_opened_by_a_key_or_by_a_provider(everything: Rendered) -> None:
    def variables(rendered: Rendered) -> set[str]:
        return {found["name"] for found in containers(rendered.pod("claude-auth"))["claude-auth"]["env"]}

    assert "CLAUDE_GATEWAY_AUTH_KEY_FILE" in variables(render(CLAUDE))
    assert "CLAUDE_GATEWAY_OIDC_ISSUER" not in variables(render(CLAUDE))
    assert {"CLAUDE_GATEWAY_OIDC_ISSUER", "CLAUDE_GATEWAY_OIDC_CLIENT_SECRET_FILE"} <= variables(everything)
    assert "CLAUDE_GATEWAY_AUTH_KEY_FILE" not in variables(everything)
