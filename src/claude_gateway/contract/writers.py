"""Who else writes a login's Secret. A login that is refreshed must have one writer, or a rotated token is lost."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.names import AUTH_MANAGER

_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_MARKS: Final = (
    "external-secrets.io/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.sh/",
    "helm.toolkit",
)
"""Beginnings or parts of labels and annotations that tools put on what they write again and again."""
_SHOWN: Final = 64


def other_writer(metadata: Mapping[str, Any], key: str) -> str | None:
    """Return who besides the sign-in service writes the entry ``key`` of a Secret with this metadata; None: nobody.

    Signs are an owner, the marks of tools that apply manifests, and another manager of the entry in
    ``managedFields``. Metadata from a file have no managers.
    """
    owners = metadata.get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        return _shown(f"{_part(owner, 'kind')} {_part(owner, 'name')}")
    manager = _part(metadata.get("labels"), _MANAGED_BY)
    if manager and manager != AUTH_MANAGER:
        return _shown(manager)
    for part in ("labels", "annotations"):
        written = metadata.get(part)
        for name in written if isinstance(written, Mapping) else ():
            mark = next((mark for mark in _MARKS if mark in str(name)), None)
            if mark is not None:
                return _shown(str(name))
    fields = metadata.get("managedFields")
    for entry in fields if isinstance(fields, list) else ():
        name = _part(entry, "manager")
        if name != AUTH_MANAGER and _owns(entry, key):
            return _shown(name)
    return None


def _owns(entry: object, key: str) -> bool:
    """Return whether an entry of ``managedFields`` has the entry ``key`` of the Secret.

    An API server stores ``stringData`` as ``data``, but remembers who applied it under its own name.
    """
    fields = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
    parts = [fields.get(f"f:{part}") for part in ("data", "stringData")] if isinstance(fields, Mapping) else []
    return any(isinstance(part, Mapping) and f"f:{key}" in part for part in parts)


def _part(value: object, name: str) -> str:
    return str(value.get(name) or "") if isinstance(value, Mapping) else ""


def _shown(text: str) -> str:
    return text.strip()[:_SHOWN] or "somebody without a name"
