"""Schemas for Kimi: one type everywhere, and nothing that a model needs is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.schema.moonshot import for_moonshot


def wrong(schema: Any) -> bool:
    """Whether Moonshot rejects a schema."""
    if not isinstance(schema, dict):
        return True
    if "$ref" in schema:
        return len(schema) > 1
    if "anyOf" in schema:
        return "type" in schema or any(map(wrong, schema["anyOf"]))
    if not isinstance(schema.get("type"), str) or {"oneOf", "allOf"} & schema.keys():
        return True
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return any(map(wrong, inner))


def of(schema: Any) -> Any:
    """A property as Kimi gets it."""
    found = for_moonshot({"type": "object", "properties": {"x": schema}})
    assert not wrong(found)
    return found["properties"]["x"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "description": "d"}, {"type": "string", "description": "d"}),
        ({"enum": ["a"]}, {"enum": ["a"], "type": "string"}),
        ({"enum": [1, 2.5]}, {"enum": [1, 2.5], "type": "number"}),
        ({"const": True}, {"const": True, "type": "boolean"}),
        ({"properties": {"a": {"type": "null"}}}, {"properties": {"a": {"type": "null"}}, "type": "object"}),
        ({"items": {"type": "string"}}, {"items": {"type": "string"}, "type": "array"}),
        (
            {"type": ["string", "null"], "description": "d"},
            {"description": "d", "anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"allOf": [{"$ref": "#/$defs/y"}]}, {"$ref": "#/$defs/y"}),
        ({"$ref": "#/$defs/y", "description": "d"}, {"$ref": "#/$defs/y"}),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": []}],
            },
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ),
        (
            {"type": "string", "anyOf": [{"enum": ["a"]}, {"pattern": "b"}]},
            {"anyOf": [{"enum": ["a"], "type": "string"}, {"pattern": "b", "type": "string"}]},
        ),
        ({"type": "string", "anyOf": [{"pattern": "b"}, {"minLength": 1}]}, {"type": "string"}),
    ],
)
def test_schemas(schema: Any, expected: Any) -> None:
    assert of(schema) == expected


def test_anything_stays_anything() -> None:
    kinds = ["string", "number", "boolean", "object", "array", "null"]
    assert [each["type"] for each in of({"description": "d"})["anyOf"]] == kinds
    assert [each["type"] for each in of(True)["anyOf"]] == kinds


def test_depth_is_bounded() -> None:
    deep: Any = {"type": "string"}
    for _ in range(500):
        deep = {"type": "object", "properties": {"x": deep}}
    assert not wrong(for_moonshot(deep))


WORDS = ["type", "anyOf", "oneOf", "allOf", "properties", "items", "enum", "const", "$ref", "required", "x"]
SCHEMAS = st.recursive(
    st.sampled_from([True, None, "object", "string", ["string", "null"], 5, [], {}]),
    lambda inner: st.dictionaries(st.sampled_from(WORDS), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@given(schema=SCHEMAS)
def test_whatever_comes_is_taken(schema: Any) -> None:
    assert not wrong(for_moonshot(schema))
