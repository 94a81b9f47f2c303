"""Paths and parts of Kubernetes objects. Pure."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from claude_gateway.names import API_VERSION
from claude_gateway_runtime.kube.errors import Retryable

Manifest = dict[str, Any]


def path(resource: str, namespace: str | None = None, name: str = "", *, api: str = API_VERSION) -> str:
    """Return the path of a collection, or of one object in it; without a namespace, that of the whole cluster."""
    root = f"/api/{api}" if "/" not in api else f"/apis/{api}"
    within = f"{root}/namespaces/{namespace}" if namespace is not None else root
    return f"{within}/{resource}" + (f"/{name}" if name else "")


def decode(body: bytes) -> Manifest:
    """Read one JSON object. Raises Retryable."""
    try:
        value = json.loads(body)
    except ValueError:
        raise Retryable("the API server's response is not JSON") from None
    if not isinstance(value, dict):
        raise Retryable("the API server's response is not an object")
    return value


def page(body: bytes) -> tuple[list[Manifest], str | None]:
    """Read one page of a list; return its items and the token of the next page. Raises Retryable.

    Items get the kind, which only the list names. Their ``managedFields`` keep each writer and time, but not the fields
    of each writer: those are unused and are most of an object.
    """
    document = decode(body)
    kind = {"apiVersion": document.get("apiVersion"), "kind": str(document.get("kind", "")).removesuffix("List")}
    found = [{**kind, **item} for item in document.get("items") or ()]
    for item in found:
        for entry in item["metadata"].get("managedFields") or ():
            entry.pop("fieldsV1", None)
    return found, document.get("metadata", {}).get("continue")


def entries(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the entries of a ConfigMap (text, or base64 in ``binaryData``) or of a Secret (base64).

    Raises Retryable, without the content.
    """
    try:
        text, binary = found.get("data") or {}, found.get("binaryData") or {}
        if found["kind"] == "Secret":
            text, binary = {}, text
        stored = {str(name): str(value).encode() for name, value in text.items()}
        return stored | {str(name): base64.b64decode(value, validate=True) for name, value in binary.items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Retryable("an object has entries that cannot be read") from None


def encoded(values: Mapping[str, bytes]) -> dict[str, str]:
    """Return values as base64 for a Secret's ``data`` or a ConfigMap's ``binaryData``, sorted by name."""
    return {name: base64.b64encode(value).decode() for name, value in sorted(values.items())}
