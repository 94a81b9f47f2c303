"""The published chart, installed in a kind cluster with the command of the docs: the first client's key works.

The node pulls from a registry at an address of its own: one with the same content runs in it.
"""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.install.conftest import commands, typed
from tests.support.kube import dump as kubedump
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube.kubectl import ARTIFACTS, Kube, call
from tools.release import place, trial

from claude_gateway.release_names import bootstrap_name, proxy_name

NAMESPACE: Final = "ai"
FULLNAME: Final = "cg-claude-gateway"
HOME: Final = "/trial"
"""The registry's folder in the node."""
ASK: Final = f"""
import sys, urllib.request
asked = urllib.request.Request("http://{FULLNAME}:4000/v1/models", headers={{"x-api-key": sys.stdin.read()}})
print(urllib.request.urlopen(asked, timeout=60).status)
"""


@pytest.fixture
def kube(settings: dict[str, str]) -> Iterator[Kube]:
    """A cluster with no image in it but its own, which reaches the registry of the trial."""
    wrong = kubecluster.missing()
    assert not wrong, "\n".join(wrong)
    try:
        cluster = kubecluster.up(reuse=False, names=())
        cluster.rolled("coredns", namespace="kube-system")
        if settings["REGISTRY"] == trial.REGISTRY:
            _copy_registry()
        yield cluster
    finally:
        kubecluster.down()


def _copy_registry() -> None:
    """Run the trial's registry in the node too, where 127.0.0.1 is the node."""
    files = (place.ROOT / ".tools" / "registry", trial.FOLDER / "registry.json", trial.FOLDER / "registry")
    names = ("program", "settings.json", "content")
    kubecluster.node("mkdir", HOME)
    for file, name in zip(files, names, strict=True):
        call(["docker", "cp", str(file), f"{kubecluster.NODE}:{HOME}/{name}"], timeout=600)
    program, settings, content = (f"{HOME}/{name}" for name in names)
    where = ("-e", f"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY={content}")
    call(["docker", "exec", "-d", *where, kubecluster.NODE, program, "serve", settings])


def test_helm_installs_the_chart_from_the_registry(
    kube: Kube, settings: dict[str, str], tmp_path: Path, home: Path
) -> None:
    script = commands("helm")
    if settings["REGISTRY"] == trial.REGISTRY:
        script = script.replace("--wait", "--wait --plain-http")
    reach = {**settings, "KUBECONFIG": str(kube.kubeconfig.resolve())}
    try:
        said = typed(script, folder=tmp_path, home=home, environment=reach)
        assert "STATUS: deployed" in said
        key = base64.b64decode(kube.get("secret", namespace=NAMESPACE, name=bootstrap_name(FULLNAME))["data"]["key"])
        ask = ("exec", "-i", "-n", NAMESPACE, f"deployment/{proxy_name(FULLNAME)}", "-c", "gateway", "--")
        assert kube.kubectl(*ask, "python", "-c", ASK, text=key.decode()).strip() == "200"
    except AssertionError:
        kubedump.dump(kube, ARTIFACTS / "failed" / f"install-{time.time():.0f}")
        raise
    images = {
        container["image"]
        for pod in kube.items("pods", namespace=NAMESPACE)
        for container in pod["spec"]["containers"]
        if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == "cg"
    }
    assert images
    assert {image.partition("@sha256:")[0] for image in images} == {
        f"{settings['REGISTRY']}/{name}" for name in place.DOCKERFILES
    }
