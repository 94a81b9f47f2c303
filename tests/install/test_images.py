"""The published images and chart, verified and run with the commands of the docs."""

import base64
import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.install.conftest import commands, typed
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until
from tools.release import place, sbom

LIST: Final = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"


@pytest.fixture
def chart(settings: dict[str, str], tmp_path: Path, home: Path) -> Path:
    """The published chart."""
    plain = "--plain-http" if settings["REGISTRY"].startswith("127.0.0.1:") else ""
    pull = f'helm pull "oci://$REGISTRY/charts/claude-gateway" --version "$VERSION" --untar {plain}'
    typed(pull, folder=tmp_path, home=home, environment=settings)
    return tmp_path / "claude-gateway"


def test_signatures_are_verified(settings: dict[str, str], tmp_path: Path, home: Path) -> None:
    said = typed(commands("verify"), folder=tmp_path, home=home, environment=settings)
    assert said.count("The following checks were performed") == 3


def test_a_signature_of_another_key_is_rejected(settings: dict[str, str], tmp_path: Path, home: Path) -> None:
    typed("COSIGN_PASSWORD= cosign generate-key-pair", folder=tmp_path, home=home)
    other = {**settings, "SIGNER": "--key cosign.pub --insecure-ignore-tlog --allow-http-registry"}
    with pytest.raises(AssertionError, match=r"failed to verify signature|no signatures"):
        typed(commands("verify"), folder=tmp_path, home=home, environment=other)


def test_the_bill_of_materials_names_what_is_in_the_image(settings: dict[str, str], tmp_path: Path, home: Path) -> None:
    typed(commands("sbom"), folder=tmp_path, home=home, environment=settings)
    lines = (tmp_path / "proxy.attestation.json").read_text().splitlines()
    envelope = next(json.loads(line) for line in lines if line.startswith("{"))
    bill: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    assert bill == sbom.of("proxy")
    run = ["docker", "run", "--rm", "--entrypoint", "python", f"{settings['REGISTRY']}/proxy:{place.version()}", "-c"]
    inside = subprocess.run([*run, LIST], capture_output=True, text=True, check=True).stdout.split()
    listed = {f"{each['name']}=={each['version']}" for each in bill["components"] if each["type"] == "library"}
    assert {package.lower().replace("_", "-").replace(".", "-", 0) for package in inside} - {"pip"} == listed


def test_the_chart_brings_the_verified_images(settings: dict[str, str], chart: Path, home: Path) -> None:
    rendered = typed("helm template cg .", folder=chart, home=home)
    manifests = [document for document in yaml.safe_load_all(rendered) if document]
    images = {
        container["image"]
        for manifest in manifests
        if manifest["kind"] in ("Deployment", "Pod", "Job")
        for container in _containers(manifest)
    }
    assert {image.split("@")[0] for image in images} == {f"{settings['REGISTRY']}/{name}" for name in place.DOCKERFILES}
    for image in images:
        subprocess.run(["docker", "pull", "-q", image], check=True)
    linted = typed("helm lint .", folder=chart, home=home)
    assert "0 chart(s) failed" in linted


def test_docker_serves_a_folder(settings: dict[str, str], tmp_path: Path, home: Path) -> None:
    folder, name, port = tmp_path / "gateway", f"claude-gateway-{uuid.uuid4().hex[:12]}", free_port()
    folder.mkdir()
    shutil.copy(place.ROOT / "examples" / "quickstart" / "scripted" / "gateway.yaml", folder)
    typed(commands("key"), folder=tmp_path, home=home, environment=settings)
    made = yaml.safe_load_all((folder / "me.yaml").read_text())
    (key,) = [manifest["stringData"]["key"] for manifest in made if "stringData" in manifest]
    serve = commands("docker").replace("--name claude-gateway", f"--name {name}").replace(":4000:4000", f":{port}:4000")
    with Process(["bash", "-c", f"cd {tmp_path} && {serve}"], environment=settings) as process:
        try:
            until(lambda: " ready: " in process.output or process.returncode is not None, timeout=120, what="serve")
            assert process.returncode is None, process.output
            ask = f"curl -fsS http://127.0.0.1:{port}/v1/models -H 'x-api-key: {key}'"
            assert "claude-sonnet-5-5" in typed(ask, folder=tmp_path, home=home)
        finally:
            subprocess.run(["docker", "stop", name], capture_output=True, check=False)


def _containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"] if manifest["kind"] == "Pod" else manifest["spec"]["template"]["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]
