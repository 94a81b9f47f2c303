"""Null in the place of what is absent: OpenAI's strict mode knows no optional properties.

A strict tool of a Messages client may have some. Toward OpenAI they become properties that may be null, and such a null
leaves the arguments of a call before the client sees them.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_names, as_object

_NAMED: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf")
_NULL: Final[Schema] = {"type": "null"}
_DEPTH: Final = 32
"""Levels that are read."""

_REFERENCES_MOST: Final = 8
"""References in a row that are followed."""


def without_options(schema: Schema) -> Schema:
    """Return a schema whose objects require every property; what was optional may be null."""
    return _required(schema, root=schema, depth=0)


def has_options(schema: object) -> bool:
    """Return whether an object anywhere in a schema has a property that is optional."""
    return isinstance(schema, dict) and without_options(schema) != schema


def without_nulls(arguments: str, schema: Schema) -> str:
    """Return a call's arguments without the nulls that stand for what is absent."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    found = _kept(given, [schema], root=schema, depth=0)
    return arguments if found == given else json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _required(schema: Schema, *, root: Schema, depth: int) -> Schema:
    if depth > _DEPTH:
        return schema
    # OpenAI refuses a strict schema with a default, which asks for nothing.
    kept = {key: value for key, value in schema.items() if key != "default"}
    found = {key: _below(key, value, root=root, depth=depth + 1) for key, value in kept.items()}
    properties = as_object(found.get("properties"))
    required = as_names(found.get("required"))
    options = [name for name in properties if name not in required]
    if not options:
        return found
    before = as_object(schema.get("properties"))
    for name in options:
        if not _takes_null(before[name], root=root):
            properties = {**properties, name: {"anyOf": [properties[name], _NULL]}}
    return {**found, "properties": properties, "required": [*required, *options]}


def _below(key: str, value: Any, *, root: Schema, depth: int) -> Any:
    if key in _NAMED:
        named = as_object(value).items()
        return {
            name: _required(each, root=root, depth=depth) if isinstance(each, dict) else each for name, each in named
        }
    if key in _LISTS:
        listed = as_list(value)
        return [_required(each, root=root, depth=depth) if isinstance(each, dict) else each for each in listed]
    return _required(value, root=root, depth=depth) if key == "items" and isinstance(value, dict) else value


def _takes_null(schema: object, *, root: Schema) -> bool:
    for view in _views([schema], root=root):
        kinds = view.get("type")
        if kinds == "null" or "null" in as_list(kinds) or None in as_list(view.get("enum")):
            return True
        if not {"type", "enum", "const", "properties", "allOf"} & view.keys() or view.get("const", 0) is None:
            return True
    return False


def _views(schemas: Iterable[object], *, root: Schema) -> Iterator[Schema]:
    """Return what a value may be, with references followed and alternatives apart."""
    waiting, steps = [(each, 0) for each in schemas], 0
    while waiting and steps < _DEPTH * _DEPTH:
        steps += 1
        schema, followed = waiting.pop()
        if not isinstance(schema, dict):
            continue
        inner = [each for word in ("anyOf", "oneOf") for each in as_list(schema.get(word))]
        reference = schema.get("$ref")
        if isinstance(reference, str) and followed < _REFERENCES_MOST:
            inner.append(_referred(reference, root))
        if not inner:
            yield schema
            continue
        waiting += [(each, followed + 1) for each in inner]
        if "properties" in schema:
            yield schema


def _referred(reference: str, root: Schema) -> object:
    found: object = root
    for step in reference.removeprefix("#").split("/")[1:]:
        found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
    return found


def _kept(value: Any, schemas: list[object], *, root: Schema, depth: int) -> Any:
    if depth > _DEPTH or not isinstance(value, dict | list):
        return value
    views = list(_views(schemas, root=root))
    if isinstance(value, list):
        items = [view.get("items") for view in views]
        return [_kept(each, items, root=root, depth=depth + 1) for each in value]
    found: dict[str, Any] = {}
    for name, each in value.items():
        known = [view for view in views if name in as_object(view.get("properties"))]
        inner = [view["properties"][name] for view in known]
        if each is None and known and not any(_keeps_null(view, name, root=root) for view in known):
            continue
        found[name] = _kept(each, inner, root=root, depth=depth + 1)
    return found


def _keeps_null(schema: Schema, name: str, *, root: Schema) -> bool:
    return name in as_names(schema.get("required")) or _takes_null(schema["properties"][name], root=root)
