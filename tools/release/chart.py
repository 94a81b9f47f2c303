"""The published chart: names the published images by digest, is pushed as an OCI artifact, and is signed.

Beside it goes who owns it, for Artifact Hub.

``python -m tools.release.chart PROXY_DIGEST OPERATOR_DIGEST``, with ``REGISTRY`` set.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.release import place, signing

_PUSHED: Final = re.compile(r"^Digest: (sha256:[0-9a-f]{64})$", re.MULTILINE)
OWNERS: Final = place.ROOT / "artifacthub-repo.yml"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def pinned_values(values: str, *, registry: str, digests: Mapping[str, str]) -> str:
    """Return values.yaml with the registry and the images' digests (image → digest) filled in.

    Raises ValueError if a place to fill is not there exactly once, or a digest is not valid.
    """
    found = _once(values, r'(?m)^  registry: ""$', f"  registry: {registry}")
    for image, digest in digests.items():
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not the digest of {image}, such as sha256:<64 hex digits>")
        own = r"(?:    [^\n]*\n)*?"
        block = rf'(?m)^(  {image}:\n{own})    repository: claude-gateway/{image}\n({own})    digest: ""$'
        found = _once(found, block, rf"\g<1>    repository: {image}\n\g<2>    digest: {digest}")
    return found


def pinned_metadata(metadata: str, *, registry: str, digests: Mapping[str, str]) -> str:
    """Return Chart.yaml whose list of images (for Artifact Hub) names the published ones."""
    for image, digest in digests.items():
        metadata = _once(metadata, rf"image: claude-gateway/{image}:[^\s}}]+", f"image: {registry}/{image}@{digest}")
    return metadata


def staged(folder: Path, *, registry: str, digests: Mapping[str, str]) -> Path:
    """Return a copy of the chart in ``folder`` that names the published images."""
    chart = folder / place.CHART.name
    shutil.copytree(place.CHART, chart)
    for name, pin in {"values.yaml": pinned_values, "Chart.yaml": pinned_metadata}.items():
        text = (chart / name).read_text(encoding="utf-8")
        (chart / name).write_text(pin(text, registry=registry, digests=digests), encoding="utf-8")
    return chart


def push(chart: Path, *, registry: str) -> str:
    """Package and push a chart; return its digest."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["helm", "package", str(chart), "-d", folder], check=True)
        package = next(Path(folder).glob("*.tgz"))
        command = ["helm", "push", str(package), f"oci://{registry}/charts", *_plain(registry)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    print(said, flush=True)
    if done.returncode or not (digest := _PUSHED.search(said)):
        raise ValueError(f"helm push exited with {done.returncode} and printed no digest")
    return digest[1]


def push_owners(*, registry: str) -> None:
    """Push who owns the chart, in the form and under the tag that Artifact Hub reads."""
    media = "application/vnd.cncf.artifacthub"
    file = f"{OWNERS.name}:{media}.repository-metadata.layer.v1.yaml"
    reference = f"{registry}/charts/claude-gateway:artifacthub.io"
    config = ("--config", f"/dev/null:{media}.config.v1+yaml")
    oras = str(place.ROOT / ".tools" / "oras")
    command = [oras, "push", *_plain(registry), "--disable-path-validation", *config, reference, file]
    subprocess.run(command, cwd=OWNERS.parent, check=True)


def _plain(registry: str) -> tuple[str, ...]:
    return ("--plain-http",) if registry.startswith("127.0.0.1:") else ()


def _once(text: str, pattern: str, replacement: str) -> str:
    changed, count = re.subn(pattern, replacement, text)
    if count != 1:
        raise ValueError(f"the chart has {count} places like {pattern!r}, not one")
    return changed


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Push the chart with the published images.")
    for image in place.DOCKERFILES:
        parser.add_argument(image, help="the image's digest")
    digests = vars(parser.parse_args())
    registry = place.registry()
    try:
        place.check_tag()
        with tempfile.TemporaryDirectory() as folder:
            digest = push(staged(Path(folder), registry=registry, digests=digests), registry=registry)
    except ValueError as error:
        print(f"chart: {error}", file=sys.stderr)
        return 1
    signing.sign(f"{registry}/charts/claude-gateway@{digest}")
    push_owners(registry=registry)
    signing.output({"digest": digest})
    return 0


if __name__ == "__main__":
    sys.exit(main())
