"""The manifests are what Kubernetes knows, from the oldest supported version to the newest."""

import os
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped]
from packaging.version import Version
from tests.support.kube.chart import CHART, OLDEST, Manifest, Rendered, containers, render

from claude_gateway.api.kinds import KINDS

SNAPSHOTS = Path(__file__).with_name("snapshots")
FOREIGN = {"PodMonitor", "PrometheusRule", "ServiceMonitor", "HTTPRoute", "GatewayClient"}
"""Kinds of others, that no Kubernetes version has."""


def supported() -> list[str]:
    versions = {version for version in all_versions() if Version(version) >= Version(OLDEST)}
    ordered = sorted(versions, key=Version)
    return [ordered[0], ordered[-1]]


def validate(manifest: Manifest, kubernetes: str) -> None:
    """Raise ValidationError unless that Kubernetes version knows the manifest as it is."""
    if manifest["kind"] not in FOREIGN:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)


@pytest.mark.parametrize("kubernetes", supported())
@pytest.mark.parametrize("rendering", ["default", "everything"])
def test_each_manifest_is_valid(request: pytest.FixtureRequest, rendering: str, kubernetes: str) -> None:
    rendered: Rendered = request.getfixturevalue(rendering)
    for manifest in rendered.manifests:
        validate(manifest, kubernetes)


def test_the_oldest_that_is_validated_is_the_oldest_that_is_taken() -> None:
    assert supported()[0] == OLDEST
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}-0"


@pytest.mark.parametrize("rendering", ["default", "everything"])
def test_it_is_rendered_as_reviewed(request: pytest.FixtureRequest, rendering: str) -> None:
    """The CRDs are left out: they are generated, and proven on an API server."""
    rendered: Rendered = request.getfixturevalue(rendering)
    kept = [found for found in rendered.manifests if found["kind"] != "CustomResourceDefinition"]
    kept.sort(key=lambda found: (found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]))
    text = yaml.safe_dump_all(kept, width=120)
    snapshot = SNAPSHOTS / f"{rendering}.yaml"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(text)
    assert text == snapshot.read_text(), "if that is what you want: make test-chart UPDATE_SNAPSHOTS=1"


def test_two_runs_give_the_same(all_values: Manifest, everything: Rendered) -> None:
    assert render(all_values).text == everything.text


def test_chart_and_application_share_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = Path("pyproject.toml").read_text()
    assert chart["version"] == chart["appVersion"]
    assert f'\nversion = "{chart["version"]}"\n' in project


def test_what_the_chart_says_about_itself_is_true(default: Rendered) -> None:
    """Artifact Hub shows these annotations."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    noted = {name.partition("/")[2]: yaml.safe_load(text) for name, text in chart["annotations"].items()}
    crds = default.all("CustomResourceDefinition")
    assert {found["name"] for found in noted["crds"]} == {found["metadata"]["name"] for found in crds}
    assert {found["kind"] for found in noted["crdsExamples"]} == {found["spec"]["names"]["kind"] for found in crds}
    images = {container["image"] for _, pod in default.pods() for container in containers(pod).values()}
    assert {found["image"] for found in noted["images"]} == images
    specs = {str(kind.kind): kind.spec for kind in KINDS}
    for example in noted["crdsExamples"]:
        specs[example["kind"]].model_validate(example["spec"])


def test_no_secret_is_rendered(everything: Rendered, default: Rendered) -> None:
    for rendered in (default, everything):
        assert [set(found) for found in rendered.all("Secret")] == [{"apiVersion", "kind", "metadata"}]
        assert "stringData" not in rendered.text


def test_the_crds_are_those_of_the_repository(default: Rendered) -> None:
    for crd in default.all("CustomResourceDefinition"):
        name = crd["metadata"]["name"].partition(".")[0]
        generated = yaml.safe_load(Path(f"crds/{name}.yaml").read_text())
        assert crd["spec"] == generated["spec"]
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert len(default.all("CustomResourceDefinition")) == len(KINDS)


def test_crds_may_go_with_the_release_or_be_left_to_others() -> None:
    going = render({"crds": {"keep": False}}).all("CustomResourceDefinition")
    assert [crd["metadata"].get("annotations") for crd in going] == [None] * len(KINDS)
    assert render({"crds": {"install": False, "takeOver": True}}).all("CustomResourceDefinition") == []


def test_every_template_says_something(everything: Rendered) -> None:
    """A part that no rendering holds would be tested by nothing."""
    rendered = {line for line in everything.text.splitlines() if line.startswith("# Source: ")}
    templates = {f"# Source: claude-gateway/{path.relative_to(CHART)}" for path in CHART.rglob("templates/**/*.yaml")}
    assert templates == rendered
