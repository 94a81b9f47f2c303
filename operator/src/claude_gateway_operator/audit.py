"""Audit lines about our objects and the labelled Secrets: what changed, and who wrote it as far as the cluster knows.

An API server notes the manager of each write (``kubectl-edit``, ``argocd-controller``, ...) and its time in
``managedFields``, never the user: that is in its own audit log, which joins these lines by object and time. Of a
deleted object, no writer is left. Values are never written, only the names of fields.
"""

import json
import logging
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import FIELD_MANAGER, Kind
from claude_gateway_runtime.kube import Manifest
from claude_gateway_runtime.logs import emit

_KINDS: Final = {**{each.plural: str(each.kind) for each in KINDS}, "secrets": str(Kind.SECRET)}
MOST: Final = 200
"""The most lines for one list of a collection, so that an edit of thousands of objects does not delay the operator."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object as it was seen: its identity, its version, and a checksum of each field of its spec."""

    uid: str
    version: object
    fields: Mapping[str, int]


class Audit:
    """Compares each list of a collection with the previous one; the first list causes no lines."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[tuple[str, str], _Seen]] = {}

    def look(self, collection: str, found: Iterable[Manifest]) -> None:
        """Write a line for each object that was created, changed or deleted since the last list."""
        before = self._collections.get(collection)
        now: dict[tuple[str, str], _Seen] = {}
        lines: list[dict[str, Any]] = []
        kind = _KINDS[collection.rpartition("/")[2]]
        for manifest in found:
            metadata = manifest["metadata"]
            name = (str(metadata.get("namespace", "")), str(metadata["name"]))
            old = None if before is None else before.get(name)
            now[name] = seen = _seen(manifest, old)
            if before is not None and seen is not old:
                lines.append(_line(manifest, seen, old))
        self._collections[collection] = now
        gone = sorted(set(before or ()) - set(now))
        lines += [{"action": "deleted", "object": "/".join(name)} for name in gone]
        for line in lines[:MOST]:
            emit(_log, "audit", **line, kind=kind)
        if len(lines) > MOST:
            emit(_log, "audit", action="more", kind=kind, objects=len(lines) - MOST)


def _seen(manifest: Manifest, old: _Seen | None) -> _Seen:
    """Return the object as it is now; the same value if nothing relevant has changed."""
    metadata = manifest["metadata"]
    # A status is not a change of an object, and Secrets have no generation.
    version = metadata.get("generation") or metadata.get("resourceVersion")
    uid = str(metadata.get("uid", ""))
    if old is not None and (old.uid, old.version) == (uid, version):
        return old
    spec = manifest.get("spec")
    fields = {str(name): _checksum(value) for name, value in spec.items()} if isinstance(spec, Mapping) else {}
    return _Seen(uid, version, fields)


def _checksum(value: object) -> int:
    return zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode())


def _line(manifest: Manifest, seen: _Seen, old: _Seen | None) -> dict[str, Any]:
    metadata = manifest["metadata"]
    again = old is not None and old.uid != seen.uid
    before = {} if old is None or again else old.fields
    names = sorted(name for name in {*before, *seen.fields} if before.get(name) != seen.fields.get(name))
    writer = _writer(metadata.get("managedFields"))
    return {
        "action": "created" if old is None or again else "changed",
        "object": f"{metadata.get('namespace', '')}/{metadata['name']}",
        "fields": [f"spec.{name}" for name in names],
        "generation": metadata.get("generation"),
        "by": writer.get("manager"),
        "operation": writer.get("operation"),
        "at": writer.get("time"),
    }


def _writer(managed: object) -> Mapping[str, Any]:
    """Return who wrote the object last, apart from statuses and from ourselves."""
    entries = [each for each in managed if isinstance(each, Mapping)] if isinstance(managed, list) else []
    others = [
        each
        for each in entries
        if not each.get("subresource") and not str(each.get("manager", "")).startswith(f"{FIELD_MANAGER}/")
    ]
    return max(others, key=lambda each: str(each.get("time", "")), default={})
