"""Names: as the code says them, short enough for Kubernetes, and never shared by two releases."""

import re

import pytest
from tests.support.kube.chart import Rendered, render

from claude_gateway import release_names

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LONGEST = "a" * 53

Identity = tuple[str, str, str]


def identities(rendered: Rendered) -> set[Identity]:
    return {
        (found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"])
        for found in rendered.manifests
        if found["kind"] != "CustomResourceDefinition"
    }


def test_objects_are_called_as_the_code_calls_them(default: Rendered) -> None:
    full = "cg-claude-gateway"
    assert {found["metadata"]["name"] for found in default.all("Deployment")} == {
        release_names.operator_name(full),
        release_names.proxy_name(full),
    }
    assert {found["metadata"]["name"] for found in default.all("Service")} == {full, release_names.agent_name(full)}


@pytest.mark.parametrize(
    ("release", "values", "expected"),
    [
        ("cg", {}, "cg-claude-gateway"),
        ("claude-gateway", {}, "claude-gateway"),
        ("my-claude-gateway-2", {}, "my-claude-gateway-2"),
        ("cg", {"nameOverride": "llm"}, "cg-llm"),
        ("cg", {"fullnameOverride": "llm"}, "llm"),
        ("1st", {}, "r1st-claude-gateway"),
        ("a.b", {}, "a-b-claude-gateway"),
    ],
)
def test_the_full_name(release: str, values: dict[str, str], expected: str) -> None:
    rendered = render(values, release=release)
    assert rendered.one("Deployment", f"{expected}-proxy")


@pytest.mark.parametrize("release", ["cg", LONGEST, "1" * 53, f"{'b' * 40}-{'c' * 12}"])
def test_every_name_and_label_is_short_enough(release: str) -> None:
    on = {"enabled": True}
    rendered = render(release=release, values={"metrics": {"serviceMonitor": on}, "claudeCode": on, "claudeAuth": on})
    for kind, _, name in identities(rendered):
        if kind != "ClusterRole":
            assert DNS_LABEL.fullmatch(name), name
    for found in rendered.manifests:
        for value in found["metadata"]["labels"].values():
            assert LABEL_VALUE.fullmatch(value), value
    operator = next(pod for name, pod in rendered.pods() if name.endswith("-operator"))
    full = next(e["value"] for e in operator["containers"][0]["env"] if e["name"] == "CLAUDE_GATEWAY_OPERATOR_RELEASE")
    for name in (release_names.bootstrap_name(full), release_names.bundle_name(full)):
        assert DNS_LABEL.fullmatch(name)


def test_long_names_that_begin_alike_stay_two() -> None:
    one, other = render(release=f"{LONGEST[:-1]}x"), render(release=f"{LONGEST[:-1]}y")
    assert identities(one) & identities(other) == set()


def test_two_releases_in_one_namespace_share_nothing() -> None:
    values = {"operator": {"watchNamespaces": ["shared"]}}
    one, other = render(values, release="one"), render(values, release="two")
    assert identities(one) & identities(other) == set()
    selectors = [
        frozenset(found["spec"]["selector"]["matchLabels"].items())
        for rendered in (one, other)
        for found in rendered.all("Deployment")
    ]
    assert len(set(selectors)) == 4


def test_two_releases_of_one_name_in_two_namespaces_share_nothing() -> None:
    values = {"operator": {"watchNamespaces": ["shared"]}}
    assert identities(render(values, namespace="red")) & identities(render(values, namespace="blue")) == set()


def test_selectors_pick_the_pods_of_their_part(everything: Rendered) -> None:
    for part in ("operator", "proxy"):
        deployment = everything.one("Deployment", f"cg-claude-gateway-{part}")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/component"] == part
    test = everything.one("Pod", "cg-claude-gateway-test")["metadata"]["labels"]
    for service in everything.all("Service"):
        assert not service["spec"]["selector"].items() <= test.items()


def test_common_labels_and_annotations_are_everywhere_and_replace_none_of_ours() -> None:
    labels = {"team": "platform", "app.kubernetes.io/name": "mine"}
    rendered = render({"commonLabels": labels, "commonAnnotations": {"example.com/owner": "me"}})
    for found in rendered.manifests:
        assert found["metadata"]["labels"]["team"] == "platform"
        assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "claude-gateway"
        assert found["metadata"]["annotations"]["example.com/owner"] == "me"
