"""JSON schemas of tools as providers take them: repaired where one refuses what Messages allows, and only there.

Claude Code's tools and those of MCP servers use all of JSON Schema. OpenAI wants an object at the top and refuses
alternatives there; Gemini knows a small part, to which LiteLLM reduces a schema but for what is done here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

Json = dict[str, Any]
Repair = Callable[[Any], Json]

_ALTERNATIVES: Final = ("anyOf", "oneOf", "allOf")
_DEPTH: Final = 32
"""Levels that are read."""

_NODES_MOST: Final = 5_000
"""Parts that a schema may have once its references are resolved."""

_GEMINI: Final = frozenset(
    (
        *("type", "format", "title", "description", "nullable", "enum", "anyOf", "default", "example", "pattern"),
        *("properties", "required", "propertyOrdering", "minProperties", "maxProperties"),
        *("items", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"),
    )
)
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean")
_GEMINI_FORMATS: Final = {
    "string": frozenset({"enum", "date-time"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}


def for_openai(schema: Any) -> Json:
    """A schema that OpenAI's and compatible servers take: an object with properties, lists with items."""
    whole = _merged(schema) if isinstance(schema, dict) else {}
    found = {key: value for key, value in whole.items() if key not in (*_ALTERNATIVES, "not", "enum", "const")}
    found["type"] = "object"
    found = _with_items(found, depth=0)
    if not isinstance(found.get("properties"), dict):
        found["properties"] = {}
    return found


def for_gemini(schema: Any) -> Json:
    """A schema in the part of OpenAPI that Gemini knows, references and alternatives resolved."""
    whole = for_openai(schema)
    definitions = {
        f"#/{place}/{name}": each
        for place in ("$defs", "definitions")
        for name, each in _object(whole.get(place)).items()
    }
    return _Gemini(definitions).reduced(whole)


def fits_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes a schema as it is: every object closed, every property required."""
    if isinstance(schema, list):
        return all(map(fits_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = _object(schema.get("properties"))
        if schema.get("additionalProperties") is not False or set(_names(schema.get("required"))) != set(properties):
            return False
    if {"oneOf", "allOf", "not", "patternProperties", "if", "default"} & schema.keys():
        return False
    below = ("properties", "$defs", "definitions")
    return all(
        all(map(fits_strict, _object(value).values())) if key in below else fits_strict(value)
        for key, value in schema.items()
        if key in (*below, "items", "anyOf")
    )


def _merged(schema: Json) -> Json:
    """Alternatives at the top become one object with the properties of all; required stays what all of them require."""
    properties = dict(_object(schema.get("properties")))
    required = _names(schema.get("required"))
    for word in _ALTERNATIVES:
        options = [each for each in _list(schema.get(word)) if isinstance(each, dict)]
        for option in options:
            for name, value in _object(option.get("properties")).items():
                properties.setdefault(name, value)
        wanted = [set(_names(option.get("required"))) for option in options]
        common = set.union(*wanted) if word == "allOf" and wanted else set.intersection(*wanted) if wanted else set()
        required += sorted(common.difference(required))
    found = {**schema, "properties": properties}
    return {**found, "required": required} if required else found


def _with_items(schema: Json, *, depth: int) -> Json:
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
            for name, each in _object(value).items()
        }
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _with_items(value, depth=depth)
    if key in _ALTERNATIVES and isinstance(value, list):
        return [_with_items(each, depth=depth) if isinstance(each, dict) else each for each in value]
    return value


class _Gemini:
    """One reduction. What refers to itself, or unfolds to more than ``_NODES_MOST``, becomes an open object."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._nodes = 0

    def reduced(self, schema: Any, *, within: frozenset[str] = frozenset(), depth: int = 0) -> Json:
        self._nodes += 1
        if not isinstance(schema, dict):
            return {"type": "string"}
        reference = str(schema.get("$ref", ""))
        if reference in within or depth > _DEPTH or self._nodes > _NODES_MOST:
            return {"type": "object"}
        if reference:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            whole = {**_object(self._definitions.get(reference)), **rest}
            return self.reduced(whole, within=within | {reference}, depth=depth + 1)
        return self._plain(_plain_type(_without_all_of(schema)), within=within, depth=depth + 1)

    def _plain(self, schema: Json, *, within: frozenset[str], depth: int) -> Json:
        below = partial(self.reduced, within=within, depth=depth)
        found = {key: value for key, value in schema.items() if key in _GEMINI}
        kind = found.get("type")
        if str(found.get("format")) not in _GEMINI_FORMATS.get(str(kind), ()):
            found.pop("format", None)
        if "enum" in found and kind != "string":
            # Gemini takes only strings; the description says what an enum would.
            words = ", ".join(map(str, _list(found.pop("enum"))))
            found["description"] = f"{found.get('description', '')} One of: {words}.".strip()
        elif "enum" in found:
            found["enum"] = [str(each) for each in _list(found["enum"]) if each is not None]
        if "anyOf" in found:
            kept: Json = {key: found[key] for key in ("description", "nullable") if key in found}
            return {**kept, "anyOf": [below(each) for each in _list(found["anyOf"])]}
        properties, required, items = (found.pop(key, None) for key in ("properties", "required", "items"))
        if kind == "object":
            inner = {name: below(each) for name, each in _object(properties).items()}
            wanted = [name for name in _names(required) if name in inner]
            found |= {"properties": inner} if inner else {}
            found |= {"required": wanted} if wanted else {}
        elif kind == "array":
            found["items"] = below(items or {"type": "string"})
        return found


def _plain_type(schema: Json) -> Json:
    """One type in a word of its own: lists of types, ``const`` and ``oneOf`` told in what Gemini knows."""
    found = dict(schema)
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "oneOf" in found:
        found["anyOf"] = [*_list(found.get("anyOf")), *_list(found.pop("oneOf"))]
    if "anyOf" in found:
        options = _list(found["anyOf"])
        real = [each for each in options if not (isinstance(each, dict) and each.get("type") == "null")]
        if len(real) < len(options):
            found["nullable"] = True
        if len(real) == 1 and isinstance(real[0], dict):
            del found["anyOf"]
            found = {**real[0], **{key: value for key, value in found.items() if key != "type"}}
        else:
            found["anyOf"] = real
    kinds = found.get("type")
    if isinstance(kinds, list):
        real_kinds = [kind for kind in kinds if kind != "null"]
        if len(real_kinds) < len(kinds):
            found["nullable"] = True
        if len(real_kinds) > 1:
            return {"anyOf": [{**found, "type": kind} for kind in real_kinds]}
        found["type"] = real_kinds[0] if real_kinds else "string"
    if found.get("type") not in _TYPES and "anyOf" not in found:
        found["type"] = _guess(found)
    return found


def _without_all_of(schema: Json) -> Json:
    if "allOf" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    parts = [each for each in _list(schema["allOf"]) if isinstance(each, dict)]
    if len(parts) == 1:
        return {**parts[0], **rest}
    return {**_merged(schema), "type": "object"}


def _guess(schema: Json) -> str:
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    values = _list(schema.get("enum"))
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "number"
    if values and all(isinstance(value, bool) for value in values):
        return "boolean"
    return "string"


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _names(value: Any) -> list[str]:
    return [name for name in _list(value) if isinstance(name, str)]
