"""``null`` removes a default, anywhere, and what is rendered without it is still valid."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.test_manifests import supported, validate
from tests.chart.test_values import DEFAULTS, nested
from tests.support.kube.chart import Manifest, Refused, Rendered, containers, environment, render
from tools.chart.values import Value, read

VALUES = read(Path())
ASKED_FOR = {
    "ingress.hosts": "name at least one host",
    "httpRoute.parentRefs": "name at least one Gateway",
    "autoscaling.targetCPU": "set it, or name a metric",
    "claudeCode.autoscaling.targetCPU": "set it, or name a metric",
    "claudeAuth.ingress.hosts": "name at least one host",
    "clients.proxyCertificates.format": "set it, or leave out header, networks and secretRef",
    "clients.proxyCertificates.header": "the format pem has no usual header",
    "tls.secretName": "name the gateway's own certificate",
}
"""Values without which a part cannot work, and what the chart then asks for."""
PROBES = [
    f"{part}.{probe}"
    for part, probes in {
        "operator": ("startupProbe", "livenessProbe", "readinessProbe"),
        "proxy.gateway": ("startupProbe", "livenessProbe", "readinessProbe"),
        "proxy.litellm": ("livenessProbe",),
        "proxy.agent": ("livenessProbe",),
    }.items()
    for probe in probes
]


def sections(values: tuple[Value, ...] = VALUES) -> list[Value]:
    return [found for value in values if value.inside for found in (value, *sections(value.inside))]


def changed(values: Manifest, path: str, value: Any) -> Manifest:
    """A copy of ``values`` with another value at the dotted path."""
    result = at = copy.deepcopy(values)
    *above, last = path.split(".")
    for name in above:
        at = at.setdefault(name, {})
    at[last] = value
    return result


def removed(path: str, **parts: Any) -> Rendered:
    return render(changed(parts, path, None))


def settled(values: Manifest) -> Rendered:
    """Render, and check each manifest and that no text holds Go's word for a missing value."""
    rendered = render(values)
    for manifest in rendered.manifests:
        if manifest["kind"] != "CustomResourceDefinition":
            validate(manifest, supported()[-1])
    assert "<nil>" not in rendered.text
    assert "<no value>" not in rendered.text
    return rendered


@pytest.mark.parametrize("section", sections(), ids=lambda value: value.path)
def test_a_section_can_be_removed(all_values: Manifest, section: Value) -> None:
    settled(changed(all_values, section.path, None))


@pytest.mark.parametrize("section", sections(), ids=lambda value: value.path)
def test_the_values_of_a_section_can_be_removed(all_values: Manifest, section: Value) -> None:
    """The switches stay, so that what is removed would be used."""
    values = all_values
    for value in section.inside:
        if not value.inside and not isinstance(value.default, bool) and value.path not in ASKED_FOR:
            values = changed(values, value.path, None)
    settled(values)


def test_the_values_of_no_section_can_be_removed(all_values: Manifest) -> None:
    settled({**all_values, **{value.path: None for value in VALUES if not value.inside}})


@pytest.mark.parametrize(("path", "asked"), ASKED_FOR.items())
def test_what_cannot_be_left_out_is_asked_for(all_values: Manifest, path: str, asked: str) -> None:
    values = changed(changed(all_values, "autoscaling.metrics", []), "claudeCode.autoscaling.metrics", [])
    with pytest.raises(Refused, match=f"{path}: {asked}"):
        render(changed(values, path, None))


def test_what_every_manifest_needs_has_its_default_again() -> None:
    needed = ("service.port", "service.tlsPort", "images.proxy.repository", "images.operator.repository")
    values: Manifest = {"tls": {"secretName": "s"}}
    for path in needed:
        values = changed(values, path, None)
    rendered = render(values)
    ports = {port["name"]: port["port"] for port in rendered.one("Service", rendered.fullname)["spec"]["ports"]}
    assert ports == {"http": DEFAULTS["service"]["port"], "https": DEFAULTS["service"]["tlsPort"]}
    images = {found["image"] for _, pod in rendered.pods() for found in containers(pod).values()}
    assert images == {f"{DEFAULTS['images'][name]['repository']}:0.1.0" for name in ("proxy", "operator")}


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_can_be_removed(path: str) -> None:
    part, _, probe = path.rpartition(".")
    pod = removed(path).pod(part.partition(".")[0])
    assert probe not in containers(pod)[part.rpartition(".")[2]]


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_can_be_replaced(path: str) -> None:
    part, _, probe = path.rpartition(".")
    own = {"tcpSocket": {"port": 1}, "periodSeconds": 7}
    found = containers(render(nested(path, own)).pod(part.partition(".")[0]))[part.rpartition(".")[2]][probe]
    assert own.items() <= found.items()
    assert not {"httpGet", "exec"} & set(found)
    assert found["timeoutSeconds"] > 0


def test_a_removed_setting_is_left_to_the_process() -> None:
    found = environment(containers(removed("proxy.gateway.maxBodyBytes").pod("proxy"))["gateway"])
    assert "CLAUDE_GATEWAY_MAX_BODY_BYTES" not in found


def test_a_removed_list_of_hosts_is_an_empty_one() -> None:
    """Not the process's default, which would let clients' logins go to the vendor."""
    found = environment(containers(removed("egress.forwardClientTokenTo").pod("operator"))["operator"])
    assert not found["CLAUDE_GATEWAY_OPERATOR_FORWARD_HOSTS"]


def test_a_removed_grace_period_is_as_long_as_it_must_be() -> None:
    pod = removed("proxy.terminationGracePeriodSeconds", proxy={"drainSeconds": 20}).pod("proxy")
    assert pod["terminationGracePeriodSeconds"] == 5 + 20 + 10


def test_removed_resources_are_none() -> None:
    values = yaml.safe_load("{caBundle: {configMap: ca, resources: null}, tests: {resources: null}}")
    rendered = render(values)
    assert "resources" not in containers(rendered.pod("proxy"))["trust"]
    assert "resources" not in containers(rendered.one("Pod", "cg-claude-gateway-test")["spec"])["test"]


def test_removed_ids_are_none_in_every_pod() -> None:
    ids: Manifest = {"podSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))}
    for name, pod in render({"operator": ids, "proxy": ids, "tests": ids}).pods():
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, name
