"""Null in the place of what is absent: OpenAI's strict mode knows no optional properties.

A strict tool of a Messages client may have some. Toward OpenAI they become properties that may be null, and such a null
leaves the arguments of a call before the client sees them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from claude_gateway_proxy.translation.schema.values import Schema, as_list, as_names, as_object

_NAMED: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "oneOf", "allOf")
_NULL: Final[Schema] = {"type": "null"}
_DEPTH: Final = 32
"""Levels that are read."""

_REFERENCES_MOST: Final = 8
"""References in a row that are followed."""

_VIEWS_MOST: Final = _DEPTH * _DEPTH
"""Alternatives of one value that are read."""

_STEPS_MOST: Final = 50_000
"""Alternatives of all values of a schema that are read; OpenAI takes 5,000 properties."""


def without_options(schema: Schema) -> Schema:
    """Return a schema whose objects require every property; what was optional may be null."""
    return _Reading(schema, steps=_STEPS_MOST).required(schema, depth=0)


def has_options(schema: object) -> bool:
    """Return whether an object anywhere in a schema has a property that is optional."""
    return isinstance(schema, dict) and without_options(schema) != schema


def without_nulls(arguments: str, schema: Schema) -> str:
    """Return a call's arguments without the nulls that stand for what is absent."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    # Each value of the arguments has a step of its own at least.
    found = _Reading(schema, steps=_STEPS_MOST + len(arguments)).kept(given, [schema], depth=0)
    return arguments if found == given else json.dumps(found, ensure_ascii=False, separators=(",", ":"))


class _Reading:
    """Reads one schema, ``root``, in a bounded number of steps; what is left then keeps its nulls."""

    def __init__(self, root: Schema, *, steps: int) -> None:
        self._root = root
        self._steps = steps

    def required(self, schema: Schema, *, depth: int) -> Schema:
        if depth > _DEPTH:
            return schema
        # OpenAI refuses a strict schema with a default, which asks for nothing.
        kept = {key: value for key, value in schema.items() if key != "default"}
        found = {key: self._below(key, value, depth=depth + 1) for key, value in kept.items()}
        properties = as_object(found.get("properties"))
        required = as_names(found.get("required"))
        options = properties.keys() - required
        if not options:
            return found
        before = as_object(schema.get("properties"))
        properties = {
            name: {"anyOf": [each, _NULL]} if name in options and not self._takes_null(before[name]) else each
            for name, each in properties.items()
        }
        return {**found, "properties": properties, "required": [*required, *(n for n in properties if n in options)]}

    def _below(self, key: str, value: Any, *, depth: int) -> Any:
        if key in _NAMED:
            return {name: self._inner(each, depth=depth) for name, each in as_object(value).items()}
        if key in _LISTS:
            return [self._inner(each, depth=depth) for each in as_list(value)]
        return self._inner(value, depth=depth) if key == "items" else value

    def _inner(self, value: Any, *, depth: int) -> Any:
        return self.required(value, depth=depth) if isinstance(value, dict) else value

    def _takes_null(self, schema: object) -> bool:
        for view in self._views([schema]):
            kinds = view.get("type")
            if kinds == "null" or "null" in as_list(kinds) or None in as_list(view.get("enum")):
                return True
            if not {"type", "enum", "const", "properties", "allOf"} & view.keys() or view.get("const", 0) is None:
                return True
        return False

    def _views(self, schemas: Sequence[object]) -> Iterator[Schema]:
        """Return what a value may be, with references followed and alternatives apart."""
        waiting = [(each, 0) for each in schemas[-_VIEWS_MOST:]]
        views = 0
        while waiting and views < _VIEWS_MOST and self._steps > 0:
            views += 1
            self._steps -= 1
            schema, followed = waiting.pop()
            if not isinstance(schema, dict):
                continue
            inner = [each for word in ("anyOf", "oneOf") for each in as_list(schema.get(word))[-_VIEWS_MOST:]]
            reference = schema.get("$ref")
            if isinstance(reference, str) and followed < _REFERENCES_MOST:
                inner.append(_referred(reference, self._root))
            if not inner:
                yield schema
                continue
            self._steps -= len(inner)
            waiting += [(each, followed + 1) for each in inner]
            if "properties" in schema:
                yield schema

    def kept(self, value: Any, schemas: list[object], *, depth: int) -> Any:
        """Return a value without the nulls that stand for what is absent."""
        if depth > _DEPTH or not isinstance(value, dict | list):
            return value
        views = list(self._views(schemas))
        if isinstance(value, list):
            items = [view.get("items") for view in views]
            return [self.kept(each, items, depth=depth + 1) for each in value]
        objects = [(as_object(view.get("properties")), frozenset(as_names(view.get("required")))) for view in views]
        found: dict[str, Any] = {}
        for name, each in value.items():
            known = [(properties[name], name in required) for properties, required in objects if name in properties]
            absent = each is None and known and not any(must or self._takes_null(inner) for inner, must in known)
            if not absent:
                found[name] = self.kept(each, [inner for inner, _ in known], depth=depth + 1)
        return found


def _referred(reference: str, root: Schema) -> object:
    found: object = root
    for step in reference.removeprefix("#").split("/")[1:]:
        found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
    return found
