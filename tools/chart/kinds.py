"""Kinds of values that the chart's ``values.yaml`` names after ``@schema``, as JSON schemas.

Closed wherever the chart itself reads the fields; open where Kubernetes does, whose versions know different ones.
"""

from typing import Any, Final

_DNS: Final = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"
_QUANTITY: Final[dict[str, Any]] = {
    "type": ["string", "number"],
    "pattern": "^[0-9]+(\\.[0-9]+)?([eE][0-9]+|m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$",
}
_QUANTITIES: Final[dict[str, Any]] = {"type": "object", "additionalProperties": _QUANTITY}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    said = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**said, "required": list(required)} if required else said


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_PROBE: Final = (
    *("initialDelaySeconds", "periodSeconds", "timeoutSeconds"),
    *("failureThreshold", "successThreshold", "terminationGracePeriodSeconds"),
)
_HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
_REFERENCE: Final = _closed({"name": {"type": "string", "minLength": 1}}, "name")
_TEXTS: Final[dict[str, Any]] = {"type": "object", "additionalProperties": {"type": "string"}}

KINDS: Final[dict[str, dict[str, Any]]] = {
    "map": {"type": "object"},
    "objects": _list({"type": "object"}),
    "strings": {**_list({"type": "string", "minLength": 1}), "uniqueItems": True},
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "name": {"type": "string", "maxLength": 253, "pattern": _DNS},
    "names": {
        **_list({"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}),
        "uniqueItems": True,
    },
    "references": _list(_REFERENCE),
    "env": _list(
        _closed(
            {"name": {"type": "string", "minLength": 1}, "value": {"type": "string"}, "valueFrom": {"type": "object"}},
            "name",
        )
    ),
    "resources": _closed({"requests": _QUANTITIES, "limits": _QUANTITIES, "claims": _list({"type": "object"})}),
    "quantity": _QUANTITY,
    "probe": _closed({**dict.fromkeys(_PROBE, _COUNT), **{handler: {"type": "object"} for handler in _HANDLERS}}),
    "global": {
        "type": "object",
        "properties": {
            "imageRegistry": {"type": "string"},
            "imagePullSecrets": _list({"anyOf": [{"type": "string", "minLength": 1}, _REFERENCE]}),
            "compatibility": {
                "type": "object",
                "properties": {
                    "openshift": {
                        "type": "object",
                        "properties": {"adaptSecurityContext": {"enum": ["auto", "force", "disabled"]}},
                    }
                },
            },
        },
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "loglevel": {"enum": ["debug", "info", "warning", "error"]},
    "tag": {"type": "string", "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$"},
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "url": {"type": "string", "pattern": "^(https?://[^\\s]+)?$"},
}
