"""Schemas of tools for Gemini, which knows a small part of OpenAPI's schemas."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from claude_gateway_proxy.translation.schema.openai import for_openai, merged
from claude_gateway_proxy.translation.schema.unfolding import Budget, own_cost
from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_names, as_object

_DEPTH: Final = 32
"""Levels that are read."""

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


def for_gemini(schema: Any, budget: Budget) -> Schema:
    """A schema in the part of OpenAPI that Gemini knows, references and alternatives resolved as far as they fit."""
    whole = for_openai(schema)
    definitions = {
        f"#/{place}/{name}": each
        for place in ("$defs", "definitions")
        for name, each in as_object(whole.get(place)).items()
    }
    return _Gemini(definitions, budget).reduced(whole)


class _Gemini:
    """One reduction. What refers to itself, or unfolds beyond the budget, becomes an open object."""

    def __init__(self, definitions: Mapping[str, Any], budget: Budget) -> None:
        self._definitions = definitions
        self._budget = budget

    def reduced(self, schema: Any, *, within: frozenset[str] = frozenset(), depth: int = 0) -> Schema:
        if not isinstance(schema, dict):
            return {"type": "string"}
        reference = str(schema.get("$ref", ""))
        if reference in within or depth > _DEPTH or not self._budget.take(own_cost(schema)):
            return {"type": "object"}
        if reference:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            whole = {**as_object(self._definitions.get(reference)), **rest}
            return self.reduced(whole, within=within | {reference}, depth=depth + 1)
        return self._plain(_plain_type(_without_all_of(schema)), within=within, depth=depth + 1)

    def _plain(self, schema: Schema, *, within: frozenset[str], depth: int) -> Schema:
        below = partial(self.reduced, within=within, depth=depth)
        found = _plain_words({key: value for key, value in schema.items() if key in _GEMINI})
        kind = found.get("type")
        if "anyOf" in found:
            kept: Schema = {key: found[key] for key in ("description", "nullable") if key in found}
            return {**kept, "anyOf": [below(each) for each in as_list(found["anyOf"])]}
        properties, required, items = (found.pop(key, None) for key in ("properties", "required", "items"))
        if kind == "object":
            inner = {name: below(each) for name, each in as_object(properties).items()}
            wanted = [name for name in as_names(required) if name in inner]
            found |= {"properties": inner} if inner else {}
            found |= {"required": wanted} if wanted else {}
        elif kind == "array":
            found["items"] = below(items or {"type": "string"})
        return found


def _plain_words(found: Schema) -> Schema:
    """Drop a format that Gemini does not know, and write an ``enum`` as strings."""
    kind = str(found.get("type"))
    if str(found.get("format")) not in _GEMINI_FORMATS.get(kind, ()):
        found.pop("format", None)
    if "enum" in found and kind != "string":
        # Gemini takes only strings; the description says what an enum would.
        words = ", ".join(map(str, as_list(found.pop("enum"))))
        found["description"] = f"{found.get('description', '')} One of: {words}.".strip()
    elif "enum" in found:
        found["enum"] = [str(each) for each in as_list(found["enum"]) if each is not None]
    return found


def _plain_type(schema: Schema) -> Schema:
    """Write the type as one word, and lists of types, ``const`` and ``oneOf`` in the words that Gemini knows."""
    found = dict(schema)
    if "const" in found:
        found["enum"] = [found.pop("const")]
    if "oneOf" in found:
        found["anyOf"] = [*as_list(found.get("anyOf")), *as_list(found.pop("oneOf"))]
    if "anyOf" in found:
        found = _without_null(found)
    kinds = found.get("type")
    if isinstance(kinds, list):
        real = [kind for kind in kinds if kind != "null"]
        if len(real) < len(kinds):
            found["nullable"] = True
        if len(real) > 1:
            return {"anyOf": [{**found, "type": kind} for kind in real]}
        found["type"] = real[0] if real else "string"
    if found.get("type") not in _TYPES and "anyOf" not in found:
        found["type"] = _guess(found)
    return found


def _without_null(schema: Schema) -> Schema:
    """Write an alternative that is null as ``nullable``; a single one that is left takes the schema's place."""
    options = as_list(schema["anyOf"])
    real = [each for each in options if not (isinstance(each, dict) and each.get("type") == "null")]
    nullable: Schema = {"nullable": True} if len(real) < len(options) else {}
    if len(real) == 1 and isinstance(real[0], dict):
        return {**real[0], **{key: each for key, each in schema.items() if key not in ("anyOf", "type")}, **nullable}
    return {**schema, "anyOf": real, **nullable}


def _without_all_of(schema: Schema) -> Schema:
    if "allOf" not in schema:
        return schema
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    parts = [each for each in as_list(schema["allOf"]) if isinstance(each, dict)]
    if len(parts) == 1:
        return {**parts[0], **rest}
    return {**merged(schema), "type": "object"}


def _guess(schema: Schema) -> str:
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    values = as_list(schema.get("enum"))
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return "number"
    if values and all(isinstance(value, bool) for value in values):
        return "boolean"
    return "string"
