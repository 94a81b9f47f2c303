"""Schemas of tools for OpenAI's and compatible servers: an object at the top, without alternatives there.

Claude Code's tools and those of MCP servers use all of JSON Schema; a schema changes only where a server rejects it.
"""

from typing import Any, Final

from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_names, as_object

_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_DEPTH: Final = 32
"""Levels that are read."""


def for_openai(schema: Any) -> Schema:
    """A schema that OpenAI's and compatible servers take: an object with properties, lists with items."""
    whole = merged(schema) if isinstance(schema, dict) else {}
    found = {key: value for key, value in whole.items() if key not in (*_ALTERNATIVES, "not", "enum", "const")}
    found["type"] = "object"
    found = _with_items(found, depth=0)
    if not isinstance(found.get("properties"), dict):
        found["properties"] = {}
    return found


def merged(schema: Schema) -> Schema:
    """Alternatives at the top become one object with the properties of all; required stays what all of them require."""
    properties = dict(as_object(schema.get("properties")))
    required = as_names(schema.get("required"))
    for word in _ALTERNATIVES:
        options = [each for each in as_list(schema.get(word)) if isinstance(each, dict)]
        for option in options:
            for name, value in as_object(option.get("properties")).items():
                properties.setdefault(name, value)
        wanted = [set(as_names(option.get("required"))) for option in options]
        common = set.union(*wanted) if word == "allOf" and wanted else set.intersection(*wanted) if wanted else set()
        required += sorted(common.difference(required))
    found = {**schema, "properties": properties}
    return {**found, "required": required} if required else found


def _with_items(schema: Schema, *, depth: int) -> Schema:
    found = {
        key: _with_items_below(key, value, depth=depth + 1) if depth < _DEPTH else value
        for key, value in schema.items()
    }
    kinds = found.get("type")
    if (kinds == "array" or (isinstance(kinds, list) and "array" in kinds)) and "items" not in found:
        found["items"] = {}
    return found


def _with_items_below(key: str, value: Any, *, depth: int) -> Any:
    if key in ("properties", "$defs", "definitions", "patternProperties"):
        return {
            name: _with_items(each, depth=depth) if isinstance(each, dict) else each
            for name, each in as_object(value).items()
        }
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _with_items(value, depth=depth)
    if key in _ALTERNATIVES and isinstance(value, list):
        return [_with_items(each, depth=depth) if isinstance(each, dict) else each for each in value]
    return value
