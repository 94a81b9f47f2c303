"""The software bill of materials of an image or of the wheels, in CycloneDX 1.6, made of the locks.

A lock pins every package that is installed by hash, so it knows the content better than a scanner of the result could.
The same tree gives the same bytes: the serial number follows from the content, the time from the commit.
"""

import argparse
import json
import re
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from tools.release import place

LOCKS: Final[Mapping[str, tuple[str, ...]]] = {
    "proxy": ("locks/proxy.txt",),
    "operator": ("locks/operator.txt",),
    "python": ("locks/proxy.txt", "locks/scripted.txt", "locks/claude-code.txt", "locks/claude-auth.txt"),
}
"""What is published → the locks that it is installed from."""

OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "proxy": ("claude-gateway", "claude-gateway-runtime", "claude-gateway-proxy", "claude-gateway-scripted"),
    "operator": ("claude-gateway", "claude-gateway-runtime", "claude-gateway-operator"),
    "python": (
        *("claude-gateway", "claude-gateway-runtime", "claude-gateway-proxy", "claude-gateway-scripted"),
        *("claude-gateway-claude-code", "claude-gateway-auth"),
    ),
}
PYTHON: Final = "3.13"
_NAMESPACE: Final = uuid.UUID("5f0ccd4e-6c3a-5a3b-9a5e-6a0f6f0f3c11")
_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\\n]+))?", re.M)
_VIA: Final = re.compile(r"^    # +(?:via )?(?P<name>(?!via$)[a-z0-9][a-z0-9._-]*)(?: \([^)]*\))?$", re.M)


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package and the names of those that require it."""

    name: str
    version: str
    via: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """The package URL (purl)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def packages(lock: str) -> dict[str, Package]:
    """Read the packages that a lock installs on Linux: name → package."""
    pins = list(_PIN.finditer(lock))
    ends = [*(pin.start() for pin in pins[1:]), len(lock)]
    found: dict[str, Package] = {}
    for pin, end in zip(pins, ends, strict=True):
        if pin["marker"] and not _holds(pin["marker"]):
            continue
        name = canonicalize_name(pin["name"])
        via = frozenset(canonicalize_name(each["name"]) for each in _VIA.finditer(lock, pin.end(), end))
        found[name] = Package(name, pin["version"], via)
    return found


def merged(locks: Iterable[Mapping[str, Package]]) -> dict[str, Package]:
    """Join the packages of several locks, which agree on the versions."""
    joint: dict[str, Package] = {}
    for lock in locks:
        for name, package in lock.items():
            via = package.via | (joint[name].via if name in joint else frozenset())
            joint[name] = Package(name, package.version, via)
    return joint


def document(
    subject: str, *, version: str, time: str, own: Iterable[str], found: Mapping[str, Package], base: str | None
) -> dict[str, Any]:
    """Return the CycloneDX document about ``subject``; ``time`` in RFC 3339, ``base`` the image it is built on."""
    ours = {name: Package(name, version) for name in own}
    every = {**found, **ours}
    root = {"type": "container" if base else "application", "name": f"claude-gateway/{subject}", "version": version}
    root["bom-ref"] = root["name"]
    components = [_library(every[name]) for name in sorted(every)]
    components += [_base(base)] if base else []
    needs: dict[str, list[str]] = {package.url: [] for package in every.values()}
    for package in found.values():
        for parent in sorted(package.via & set(every)):
            needs[every[parent].url].append(package.url)
    tops = [package.url for package in ours.values()] + ([components[-1]["bom-ref"]] if base else [])
    graph = [{"ref": root["bom-ref"], "dependsOn": sorted(tops)}]
    graph += [{"ref": url, "dependsOn": sorted(needs[url])} for url in sorted(needs)]
    content = {"metadata": {"timestamp": time, "component": root}, "components": components, "dependencies": graph}
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **content,
    }


def of(subject: str) -> dict[str, Any]:
    """Return the document about a published part of this tree: ``proxy``, ``operator`` or ``python``."""
    found = merged(packages((place.ROOT / path).read_text(encoding="utf-8")) for path in LOCKS[subject])
    base = place.base_image() if subject in place.DOCKERFILES else None
    time = place.timestamp(place.commit_time())
    return document(subject, version=place.version(), time=time, own=OWN[subject], found=found, base=base)


def text(content: Mapping[str, Any]) -> str:
    """Return a document as text that is the same for the same content."""
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _holds(marker: str) -> bool:
    on_linux = {"platform_system": "Linux", "sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64"}
    python = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "implementation_name": "cpython"}
    return Marker(marker).evaluate({**on_linux, **python, "platform_python_implementation": "CPython"})


def _library(package: Package) -> dict[str, Any]:
    kind = {"type": "library", "name": package.name, "version": package.version}
    return {**kind, "bom-ref": package.url, "purl": package.url}


def _base(image: str) -> dict[str, Any]:
    name, _, digest = image.partition("@")
    repository, _, tag = name.partition(":")
    reference = f"pkg:oci/{repository.rpartition('/')[2]}@{digest.replace(':', '%3A')}?tag={tag}"
    return {"type": "container", "name": repository, "version": tag, "bom-ref": reference, "purl": reference}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write a software bill of materials.")
    parser.add_argument("subject", choices=LOCKS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text(of(arguments.subject)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
