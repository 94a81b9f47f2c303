"""References of schemas, resolved within bounds."""

import json
from typing import Any

import pytest

from claude_gateway_proxy.translation.schema.gemini import for_gemini
from claude_gateway_proxy.translation.schema.unfolding import Budget, unfolded

OPEN = {"type": "object"}


def resolved(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> Any:
    return unfolded(schema, definitions=definitions or {}, budget=Budget())


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, {"type": "string"}),
        ({"$ref": "#/$defs/a", "title": "t", "$defs": {"a": {"title": "a"}}}, {"title": "t"}),
        (
            {"items": {"$ref": "#/definitions/a"}, "definitions": {"a": {"type": "string"}}},
            {"items": {"type": "string"}},
        ),
        ({"anyOf": [{"$ref": "#/$defs/a"}, True], "$defs": {"a": OPEN}}, {"anyOf": [OPEN, True]}),
        ({"$ref": "#/$defs/outer"}, {"properties": {"x": {"type": "number"}}}),
        ({"$ref": "#/$defs/absent"}, {"$ref": "#/$defs/absent"}),
        ({"$ref": "#/$defs/loop"}, {"properties": {"next": OPEN}}),
        ({"$ref": "#/$defs/odd"}, OPEN),
        ({"properties": {"$ref": {"type": "string"}}}, {"properties": {"$ref": {"type": "string"}}}),
        ({"properties": {"definitions": {"$ref": "#/$defs/x"}}}, {"properties": {"definitions": {"type": "number"}}}),
        ({"$ref": 5}, {"$ref": 5}),
    ],
)
def test_references_are_resolved(schema: dict[str, Any], expected: Any) -> None:
    definitions = {
        "x": {"type": "number"},
        "outer": {"properties": {"x": {"$ref": "#/$defs/x"}}},
        "loop": {"properties": {"next": {"$ref": "#/$defs/loop"}}},
        "odd": True,
    }
    before = json.dumps([schema, definitions])
    assert resolved(schema, definitions) == expected
    assert json.dumps([schema, definitions]) == before, "the caller's schema stays as it is"


def test_the_nearest_definition_counts() -> None:
    inner = {"$defs": {"x": {"type": "boolean"}}, "items": {"$ref": "#/$defs/x"}}
    found = resolved({"properties": {"in": inner, "out": {"$ref": "#/$defs/x"}}}, {"x": {"type": "number"}})
    assert found == {"properties": {"in": {"items": {"type": "boolean"}}, "out": {"type": "number"}}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


def test_depth_is_bounded() -> None:
    assert json.dumps(resolved(deep(400))).count("properties") < 100
    lists: Any = []
    for _ in range(200):
        lists = [lists]
    assert resolved({"default": lists}) == {"default": lists}


def doubling(levels: int) -> dict[str, Any]:
    """A schema that doubles with each level."""
    level = {f"a{at}": {"properties": {name: {"$ref": f"#/$defs/a{at + 1}"} for name in "xy"}} for at in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**level, f"a{levels}": {"type": "string"}}}


def mutual(count: int) -> dict[str, Any]:
    """Definitions that all refer to all: every order of them is a path without a circle."""
    every = {f"p{at}": {"$ref": f"#/$defs/d{at}"} for at in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {f"d{at}": {"properties": every} for at in range(count)}}


def long_texts(count: int) -> dict[str, Any]:
    """One long text that many parts refer to."""
    parts = {f"p{at}": {"$ref": "#/$defs/text"} for at in range(count)}
    return {"properties": parts, "$defs": {"text": {"description": "x" * 10_000, "enum": list(range(1_000))}}}


@pytest.mark.parametrize("schema", [doubling(40), mutual(30), long_texts(1_000)], ids=["double", "mutual", "long"])
def test_what_a_schema_unfolds_to_is_bounded_for_the_whole_request(schema: dict[str, Any]) -> None:
    size = len(json.dumps(schema))
    budget = Budget(size)
    results = [json.dumps(unfolded(schema, definitions={}, budget=budget)) for _ in range(20)]
    assert len(results[0]) > 1_000
    assert sum(map(len, results)) < 3 * (100_000 + 10 * size) + 20 * size
    budget = Budget(size)
    results = [json.dumps(for_gemini({"properties": {"x": schema}, **schema}, budget)) for _ in range(20)]
    assert sum(map(len, results)) < 3 * (100_000 + 10 * size)


def test_many_types_and_large_values_count_for_gemini() -> None:
    schema: dict[str, Any] = {"type": "string", "default": ["x" * 1_000]}
    for _ in range(30):
        schema = {"type": ["object", "object"], "properties": {"x": schema}}
    assert len(json.dumps(for_gemini({"properties": {"x": schema}}, Budget()))) < 300_000
