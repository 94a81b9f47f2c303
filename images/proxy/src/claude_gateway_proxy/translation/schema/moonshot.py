"""Schemas of tools for Moonshot's Kimi: every schema has exactly one type, or alternatives that have one each.

Source: the errors of its API ("type is not defined", "when using anyOf, type should be defined in anyOf items instead
of the parent schema", "when using $ref, other keywords should be moved").
"""

from typing import Any, Final

from claude_gateway_proxy.translation.schema.openai import for_openai, merged
from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_object

_DEPTH: Final = 32
"""Levels that are read."""

_NAMED: Final = ("properties", "$defs", "definitions", "patternProperties")
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_ANY: Final = ("string", "number", "boolean", "object", "array", "null")
_OF_OBJECTS: Final = frozenset({"properties", "required", "additionalProperties", "patternProperties"})
_OF_LISTS: Final = frozenset({"items", "minItems", "maxItems", "uniqueItems"})


def for_moonshot(schema: object) -> Schema:
    """A schema in the part of JSON Schema that Kimi's models take."""
    return _typed(for_openai(schema), _DEPTH)


def _typed(schema: Any, depth: int) -> Schema:
    """A schema with one type or with alternatives. Each part of it goes to one place, so that it does not grow."""
    if not isinstance(schema, dict) or depth == 0:
        return {"type": "object"} if isinstance(schema, dict) else {"anyOf": [_of_type(name, {}) for name in _ANY]}
    if isinstance(schema.get("$ref"), str):
        return {"$ref": schema["$ref"]}
    schema = _with_one_word(schema)
    found = {key: _inner(key, value, depth) for key, value in schema.items()}
    options = as_list(found.get("anyOf"))
    kinds = _kinds(found)
    if options:
        return _alternatives(found, kinds)
    if len(kinds) == 1:
        return _of_type(kinds[0], found)
    own = {key: value for key, value in found.items() if key not in _OF_OBJECTS | _OF_LISTS | {"type"}}
    return {**own, "anyOf": [_of_type(kind, _part(kind, found)) for kind in kinds]}


def _with_one_word(schema: Schema) -> Schema:
    """Alternatives are ``anyOf`` alone; those of an object, and conditions on it, become one object."""
    words = [word for word in ("oneOf", "allOf", "anyOf") if isinstance(schema.get(word), list)]
    if not words:
        return schema
    rest = {key: value for key, value in schema.items() if key not in words}
    options = [option for word in words for option in as_list(schema[word])]
    if words == ["allOf"] and len(options) == 1 and isinstance(options[0], dict):
        return {**rest, **options[0]}
    if "allOf" in words or schema.get("type") == "object" or "properties" in schema:
        whole = {**merged(schema), "type": "object"}
        return {key: value for key, value in whole.items() if key not in words}
    if not any(_says_type(option) for option in options):
        return rest
    return {**rest, "anyOf": options}


def _says_type(option: Any) -> bool:
    words = ("type", "$ref", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf")
    return isinstance(option, dict) and any(word in option for word in words)


def _inner(key: str, value: Any, depth: int) -> Any:
    if key in _NAMED and isinstance(value, dict):
        return {name: _typed(each, depth - 1) for name, each in as_object(value).items()}
    if key == "anyOf" and isinstance(value, list):
        return [_typed(each, depth - 1) for each in value]
    if key == "items" and isinstance(value, list):
        return {"anyOf": [_typed(each, depth - 1) for each in value]} if value else {"type": "string"}
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return _typed(value, depth - 1)
    return value


def _alternatives(found: Schema, kinds: tuple[str, ...]) -> Schema:
    """Move the type of the parent into the alternatives that have none of their own."""
    own = {key: value for key, value in found.items() if key not in ("type", "anyOf")}
    if "type" not in found:
        return {**own, "anyOf": found["anyOf"]}
    return {**own, "anyOf": [_narrowed(option, kinds[0]) for option in found["anyOf"]]}


def _narrowed(option: Schema, kind: str) -> Schema:
    """An alternative that could be anything is of its parent's type."""
    options = as_list(option.get("anyOf"))
    if [each.get("type") for each in options if isinstance(each, dict)] != list(_ANY):
        return option
    return _of_type(kind, {key: value for key, value in option.items() if key != "anyOf"})


def _kinds(schema: Schema) -> tuple[str, ...]:
    """The types that a schema stands for, said or not."""
    said = schema.get("type")
    known = tuple(kind for kind in (said if isinstance(said, list) else [said]) if kind in _TYPES)
    if known:
        return tuple(dict.fromkeys(known))
    if _OF_OBJECTS & schema.keys():
        return ("object",)
    if _OF_LISTS & schema.keys():
        return ("array",)
    values = as_list(schema.get("enum")) or ([schema["const"]] if "const" in schema else [])
    return tuple(dict.fromkeys(map(_kind_of, values))) or _ANY


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"


def _part(kind: str, schema: Schema) -> Schema:
    words = _OF_OBJECTS if kind == "object" else _OF_LISTS if kind == "array" else frozenset[str]()
    return {key: value for key, value in schema.items() if key in words}


def _of_type(kind: str, schema: Schema) -> Schema:
    found = {**schema, "type": kind}
    if kind == "array" and not isinstance(found.get("items"), dict):
        found["items"] = {"type": "string"}
    if kind == "array" and not found["items"]:
        found["items"] = {"type": "string"}
    return found
