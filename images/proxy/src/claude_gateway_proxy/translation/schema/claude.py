"""Schemas that Claude follows strictly: objects closed, without the limits that its grammar cannot express.

Source: platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations"; Anthropic's own
SDKs do the same. What is taken out of a schema goes into its description, where the model still reads it.
"""

import json
from typing import Any, Final

from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_object

_LIMITS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "default",
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_NAMED: Final = ("properties", "$defs", "definitions")
_DEPTH: Final = 64
"""Levels that are read."""


def closed(schema: object, *, depth: int = 0) -> Schema:
    """Return a schema that Claude can be held to."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return as_object(schema)
    found = {key: _below(key, value, depth=depth + 1) for key, value in schema.items()}
    dropped = {key: found.pop(key) for key in _LIMITS if key in found}
    if found.get("minItems") not in (None, 0, 1):
        dropped["minItems"] = found.pop("minItems")
    if "format" in found and found["format"] not in _FORMATS:
        dropped["format"] = found.pop("format")
    if "oneOf" in found:
        found["anyOf"] = [*as_list(found.get("anyOf")), *as_list(found.pop("oneOf"))]
    if found.get("type") == "object" or "properties" in found:
        found["additionalProperties"] = False
        found.setdefault("type", "object")
        found.setdefault("properties", {})
    if dropped:
        words = json.dumps(dropped, ensure_ascii=False, separators=(",", ":"))
        before = found.get("description")
        found["description"] = f"{before}\n{words}" if isinstance(before, str) and before else words
    return found


def _below(key: str, value: Any, *, depth: int) -> Any:
    if key in _NAMED:
        return {name: closed(each, depth=depth) for name, each in as_object(value).items()}
    if key == "items" and isinstance(value, dict):
        return closed(value, depth=depth)
    if key in ("anyOf", "oneOf", "allOf"):
        return [closed(each, depth=depth) for each in as_list(value)]
    return value
