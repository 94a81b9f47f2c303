"""The chart as Helm renders it, without a cluster."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path("charts/claude-gateway")
NAMESPACE: Final = "ai"
MONITORING: Final = tuple(
    f"monitoring.coreos.com/v1/{kind}" for kind in ("PodMonitor", "PrometheusRule", "ServiceMonitor")
)
"""What a cluster with the Prometheus operator also has."""
OLDEST: Final = "1.29.0"
"""What ``kubeVersion`` in Chart.yaml asks for."""

Manifest = dict[str, Any]


class Refused(AssertionError):  # noqa: N818 - named as what happened
    """Helm refused the values; the message is what a user sees."""


def helm(*arguments: str, text: str | None = None) -> str:
    """Run helm and return what it printed. Raises Refused with what it complained about."""
    if shutil.which("helm") is None:
        raise RuntimeError("helm is not on PATH; get it from https://helm.sh/docs/intro/install")
    done = subprocess.run(["helm", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr)
    return done.stdout


@dataclass(frozen=True, slots=True)
class Rendered:
    """The manifests of one release."""

    release: str
    text: str
    manifests: tuple[Manifest, ...]

    @property
    def fullname(self) -> str:
        """What its objects' names begin with by default."""
        return f"{self.release}-claude-gateway"

    def all(self, kind: str) -> list[Manifest]:
        """All manifests of a kind."""
        return [found for found in self.manifests if found["kind"] == kind]

    def one(self, kind: str, name: str) -> Manifest:
        """The manifest of that kind and name."""
        return next(found for found in self.all(kind) if found["metadata"]["name"] == name)

    def pod(self, part: str) -> Manifest:
        """The spec of the pods of ``operator`` or ``proxy``."""
        spec: Manifest = self.one("Deployment", f"{self.fullname}-{part}")["spec"]["template"]["spec"]
        return spec

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Name and pod spec of all that runs, the test pod and the Jobs of hooks included."""
        for found in self.manifests:
            if found["kind"] in ("Deployment", "Job"):
                yield found["metadata"]["name"], found["spec"]["template"]["spec"]
            if found["kind"] == "Pod":
                yield found["metadata"]["name"], found["spec"]


def render(
    values: Manifest | None = None,
    *,
    release: str = "cg",
    namespace: str = NAMESPACE,
    kubernetes: str = OLDEST,
    apis: Sequence[str] = MONITORING,
) -> Rendered:
    """Render the chart with ``values`` over its own, for a cluster that also has ``apis``. Raises Refused."""
    cluster = ("--namespace", namespace, "--kube-version", kubernetes, *(f"--api-versions={api}" for api in apis))
    text = helm("template", release, str(CHART), *cluster, "--values", "-", text=json.dumps(values or {}))
    # PyYAML's own parser would need longer for the CRDs than Helm for everything.
    documents = (document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document is not None)
    return Rendered(release, text, tuple(documents))


def containers(pod: Manifest) -> dict[str, Manifest]:
    """All containers of a pod by name, the ones that run before it included."""
    return {found["name"]: found for found in (*pod.get("initContainers", ()), *pod["containers"])}


def environment(container: Manifest) -> dict[str, Any]:
    """A container's variables: the value, or where it comes from."""
    return {found["name"]: found.get("value", found.get("valueFrom")) for found in container["env"]}
