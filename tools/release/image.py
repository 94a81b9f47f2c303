"""Published images: built twice with equal digests, pushed, signed, with their bill of materials.

``python -m tools.release.image check`` builds the images for this machine twice and compares; ``release NAME`` does the
same for every platform and pushes. Settings: ``REGISTRY`` (where to push), ``BUILDX`` (default: ``docker buildx``),
``PYTHON_IMAGE`` (another base image) and those of ``tools/release/signing.py``.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tools.release import place, sbom, signing

PLATFORMS: Final = "linux/amd64,linux/arm64"


@dataclass(frozen=True, slots=True)
class Build:
    """One build of an image; without platforms it is for this machine."""

    image: str
    name: str = ""
    platforms: str = ""
    push: bool = False
    cached: bool = True
    commit: str = field(default_factory=place.commit)
    time: int = field(default_factory=place.commit_time)

    def command(self, metadata: Path) -> list[str]:
        """Return the command line. Times in the image are at most the commit's, and nothing else is added to it."""
        arguments = {
            "SOURCE_DATE_EPOCH": str(self.time),
            "VERSION": place.version(),
            "REVISION": self.commit,
            "PYTHON_IMAGE": os.environ.get("PYTHON_IMAGE") or place.base_image(),
        }
        output = "type=image,oci-mediatypes=true,rewrite-timestamp=true"
        output += f",name={self.name}" if self.name else ""
        return [
            *shlex.split(os.environ.get("BUILDX", "docker buildx")),
            *("build", "-f", place.DOCKERFILES[self.image], "--provenance=false", "--sbom=false"),
            *(("--platform", self.platforms) if self.platforms else ()),
            *(() if self.cached else ("--no-cache",)),
            *(part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")),
            *("--metadata-file", str(metadata), "--output", f"{output},push={str(self.push).lower()}", "."),
        ]

    def run(self) -> str:
        """Build, and return the digest of the image or of the index of all platforms."""
        with tempfile.TemporaryDirectory() as folder:
            metadata = Path(folder, "metadata.json")
            subprocess.run(self.command(metadata), cwd=place.ROOT, check=True)
            digest: str = json.loads(metadata.read_text(encoding="utf-8"))["containerimage.digest"]
        print(f"image: {self.image} {digest}", flush=True)
        return digest


def reproducible(build: Build) -> str:
    """Build twice, the second time without any cache, and return the digest. Raises ValueError if they differ."""
    first, second = build.run(), replace(build, cached=False).run()
    if first != second:
        raise ValueError(f"two builds of {build.image} differ: {first} and {second}")
    return first


def release(image: str, registry: str) -> str:
    """Build twice, push, sign, and attach the bill of materials; return the digest."""
    place.check_tag()
    name = f"{registry}/{image}"
    build = Build(image, name=f"{name}:{place.version()}", platforms=os.environ.get("PLATFORMS", PLATFORMS))
    digest = reproducible(build)
    if (pushed := replace(build, push=True).run()) != digest:
        raise ValueError(f"what was pushed of {image} differs: {digest} and {pushed}")
    signing.sign(f"{name}@{digest}")
    with tempfile.TemporaryDirectory() as folder:
        bill = Path(folder, "sbom.json")
        bill.write_text(sbom.text(sbom.of(image)), encoding="utf-8")
        signing.attest(f"{name}@{digest}", bill=bill)
    signing.output({"digest": digest, image: digest})
    return digest


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build published images reproducibly.")
    parser.add_argument("action", choices=("check", "release"))
    parser.add_argument("images", nargs="*", choices=[*place.DOCKERFILES, []])
    arguments = parser.parse_args()
    images = arguments.images or list(place.DOCKERFILES)
    try:
        for image in images:
            if arguments.action == "check":
                reproducible(Build(image))
            else:
                release(image, place.registry())
    except ValueError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
