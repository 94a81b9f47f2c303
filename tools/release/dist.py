"""``make dist``: wheels, sdists, requirements, bills of materials and checksums in ``dist/``, always the same bytes.

Everything is built twice, and differences are an error. The requirements file pins every package by hash, ours too:
names of ours mean nothing on a public index, where others own some of them.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tools import lock
from tools.release import place, sbom

_ENTRY: Final = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==[^\n]*(?:\n    --hash=[^\n]*)*", re.MULTILINE)


def requirements(joint: str, locks: Iterable[str], *, wheels: Mapping[str, str]) -> str:
    """Return the text of a requirements file: the pins of the locks, then our wheels (file name → SHA-256).

    The joint lock has every pin of the others, with the markers of all who require it.
    """
    names = {entry["name"] for lock in locks for entry in _ENTRY.finditer(lock)}
    entries = [entry[0] for entry in _ENTRY.finditer(joint) if entry["name"] in names]
    own = [f"./{name} \\\n    --hash=sha256:{digest}" for name, digest in sorted(wheels.items())]
    return "\n".join([*entries, *own]) + "\n"


def differences(first: Path, second: Path) -> list[str]:
    """Return the names of the files that are not the same in both folders."""
    names = {file.name for folder in (first, second) for file in folder.iterdir()}
    return sorted(name for name in names if _digest(first / name) != _digest(second / name))


def build(folder: Path) -> None:
    """Build sdist and wheel of every published package into ``folder``; each wheel is made from its sdist."""
    for member in place.MEMBERS:
        print(f"dist: building {member}", flush=True)
        uv = [str(Path(sys.executable).parent / "uv"), "build", "--quiet", "--require-hashes"]
        subprocess.run(
            [*uv, "--build-constraints", "locks/all.txt", "-o", str(folder), member], cwd=place.ROOT, check=True
        )
    for marker in folder.glob(".gitignore"):
        marker.unlink()


def fill(folder: Path) -> None:
    """Add to the packages in ``folder`` what people need to install and to check them."""
    version = place.version()
    locks = [(place.ROOT / path).read_text(encoding="utf-8") for path in sbom.LOCKS["python"]]
    wheels = {wheel.name: _digest(wheel) for wheel in folder.glob("*.whl")}
    pins = folder / f"claude-gateway-{version}-requirements.txt"
    joint = (place.ROOT / lock.JOINT).read_text(encoding="utf-8")
    pins.write_text(requirements(joint, locks, wheels=wheels), encoding="utf-8")
    for subject in sbom.LOCKS:
        bill = folder / f"claude-gateway-{version}-{subject}.cdx.json"
        bill.write_text(sbom.text(sbom.of(subject)), encoding="utf-8")
    (folder / "SHA256SUMS").write_text(place.checksums(folder), encoding="utf-8")


def main() -> int:
    """Build twice, compare, and put the result into ``dist/``."""
    try:
        place.check_tag()
    except ValueError as error:
        print(f"dist: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place_of_both:
        first, second = Path(place_of_both, "1"), Path(place_of_both, "2")
        for folder in (first, second):
            folder.mkdir()
            build(folder)
            fill(folder)
        if different := differences(first, second):
            print(f"dist: two builds differ in {', '.join(different)}", file=sys.stderr)
            return 1
        shutil.rmtree(place.DIST, ignore_errors=True)
        shutil.copytree(first, place.DIST)
    sums = (place.DIST / "SHA256SUMS").read_text(encoding="utf-8")
    print(f"dist: {len(sums.splitlines())} files, the same in two builds\n{sums}")
    return 0


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
