"""Whether OpenAI's strict mode accepts a schema."""

from typing import Final

from claude_gateway_proxy.translation.schema.values import as_names, as_object

_UNKNOWN: Final = frozenset({"oneOf", "allOf", "not", "patternProperties", "if", "default"})
"""Words that strict mode rejects."""

_NAMED: Final = ("properties", "$defs", "definitions")
"""Words whose value maps names to schemas."""


def fits_strict(schema: object) -> bool:
    """Return whether OpenAI's strict mode accepts a schema as it is: objects closed, every property required."""
    if isinstance(schema, list):
        return all(map(fits_strict, schema))
    if not isinstance(schema, dict):
        return True
    if not _is_closed(schema) or _UNKNOWN & schema.keys():
        return False
    named = [each for word in _NAMED if word in schema for each in as_object(schema[word]).values()]
    direct = [schema[word] for word in ("items", "anyOf") if word in schema]
    return all(map(fits_strict, (*named, *direct)))


def _is_closed(schema: dict[str, object]) -> bool:
    if schema.get("type") != "object" and "properties" not in schema:
        return True
    required, properties = as_names(schema.get("required")), as_object(schema.get("properties"))
    return schema.get("additionalProperties") is False and set(required) == set(properties)
