"""``make crd-compat FROM=REF``: whether this tree's CRDs accept every object that those of another commit accept.

Stored objects outlive an upgrade, and the API server validates them again with each write. Rules in CEL are compared by
their text: a new rule about old fields is an error, one that names a field which the old schema does not have is shown.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = "crds"
UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
FIXED: Final = (
    *("type", "format", "pattern", "exclusiveMaximum", "exclusiveMinimum", "multipleOf", "uniqueItems"),
    *("oneOf", "anyOf", "allOf", "not"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-int-or-string"),
)
"""Keywords of a schema that may be dropped, but neither added nor changed: what they accept is not compared."""

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. ``broken``: objects exist that the old CRD accepted and the new one rejects or cuts."""

    place: str
    what: str
    broken: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def compare(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[Finding]:
    """Compare CRDs by name."""
    found = []
    for name, crd in old.items():
        if name in new:
            found += list(_crd(name, crd["spec"], new[name]["spec"]))
        else:
            found.append(Finding(name, "the kind is gone"))
    return found


def schemas(old: Schema, new: Schema, place: str) -> Iterator[Finding]:
    """Compare the schemas of one value and of all that is in it."""
    yield from _bounds(old, new, place)
    yield from _values(old, new, place)
    yield from _rules(old, new, place)
    yield from _fields(old, new, place)
    for part, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        before, after = old.get(part), new.get(part)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from schemas(before, after, place + suffix)
        elif before and not after and not _keeps_all(new):
            yield Finding(place, f"{part} is gone")


def _crd(name: str, old: Schema, new: Schema) -> Iterator[Finding]:
    for key in ("group", "scope"):
        if old[key] != new[key]:
            yield Finding(name, f"{key} was {old[key]}, is {new[key]}")
    for key in ("kind", "plural"):
        if old["names"][key] != new["names"][key]:
            yield Finding(name, f"names.{key} was {old['names'][key]}, is {new['names'][key]}")
    versions = {version["name"]: version for version in new["versions"] if version["served"]}
    for version in old["versions"]:
        place = f"{name} {version['name']}"
        if not version["served"]:
            continue
        if version["name"] not in versions:
            yield Finding(place, "the version is no longer served")
            continue
        after = versions[version["name"]]
        for part in sorted(set(version.get("subresources", {})) - set(after.get("subresources", {}))):
            yield Finding(place, f"subresource {part} is gone")
        yield from schemas(version["schema"]["openAPIV3Schema"], after["schema"]["openAPIV3Schema"], place)


def _bounds(old: Schema, new: Schema, place: str) -> Iterator[Finding]:
    for key in UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield Finding(place, f"{key} was {old.get(key, 'unbounded')}, is {new[key]}")
    for key in LOWER:
        floor = 0 if key != "minimum" else None
        before = old.get(key, floor)
        if key in new and (before is None or new[key] > before):
            yield Finding(place, f"{key} was {old.get(key, 'unbounded')}, is {new[key]}")


def _values(old: Schema, new: Schema, place: str) -> Iterator[Finding]:
    for key in FIXED:
        if key in new and new[key] != old.get(key):
            yield Finding(place, f"{key} was {old.get(key, 'not set')}, is {new[key]}")
    if "enum" in new:
        gone = [value for value in old.get("enum", ["any other value"]) if value not in new["enum"]]
        if gone:
            yield Finding(place, f"no longer accepts {', '.join(map(str, gone))}")
    if old.get("nullable") and not new.get("nullable"):
        yield Finding(place, "no longer accepts null")
    if _keeps_all(old) and not _keeps_all(new):
        yield Finding(place, "no longer keeps unknown fields")


def _fields(old: Schema, new: Schema, place: str) -> Iterator[Finding]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name in after:
            yield from schemas(schema, after[name], f"{place}.{name}")
        elif not _keeps_all(new):
            yield Finding(f"{place}.{name}", "the field is gone")
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield Finding(f"{place}.{name}", "is required now")


def _rules(old: Schema, new: Schema, place: str) -> Iterator[Finding]:
    before = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    fresh = set(_names(new)) - set(_names(old))
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in before:
            about_new = any(name in rule["rule"] for name in fresh)
            yield Finding(place, f"has a new rule: {rule['rule']}", broken=not about_new)


def _names(schema: Schema) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from _names(inner)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), Mapping):
            yield from _names(schema[part])


def _keeps_all(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def of_tree(root: Path) -> dict[str, Schema]:
    """Read the CRDs of a working tree by name."""
    return _by_name(file.read_text(encoding="utf-8") for file in sorted((root / FOLDER).glob("*.yaml")))


def of_commit(root: Path, reference: str) -> dict[str, Schema]:
    """Read the CRDs of a commit by name. Raises CalledProcessError if there is no such commit."""
    names = _git(root, "ls-tree", "--name-only", reference, f"{FOLDER}/").split()
    return _by_name(_git(root, "show", f"{reference}:{name}") for name in names if name.endswith(".yaml"))


def _by_name(texts: Iterator[str]) -> dict[str, Schema]:
    crds = (document for text in texts for document in yaml.safe_load_all(text) if document)
    return {crd["metadata"]["name"]: crd for crd in crds}


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Check that the CRDs accept every object of another commit.")
    parser.add_argument("reference", help="a tag or commit, such as v0.1.0")
    reference = parser.parse_args().reference
    try:
        old = of_commit(ROOT, reference)
    except subprocess.CalledProcessError as error:
        print(f"crd-compat: {reference}: {error.stderr.strip()}", file=sys.stderr)
        return 2
    found = compare(old, of_tree(ROOT))
    for finding in found:
        print(f"{'breaks' if finding.broken else 'look at'}  {finding}")
    broken = sum(finding.broken for finding in found)
    print(f"crd-compat: {len(old)} kinds of {reference} compared, {broken} breaking changes")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
