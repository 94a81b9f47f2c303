"""Words in the place of what a model cannot take."""

from typing import Any

import pytest

from claude_gateway_proxy.translation.stand_ins import (
    JSON_ONLY,
    with_described_json,
    with_described_schema,
    without_images,
    without_system,
)

SYSTEM = {"role": "system", "content": "S"}
USER = {"role": "user", "content": "U"}
UNSEEN = "(an image, which this model cannot see)"
SCHEMA_WORDS = 'The answer is JSON that follows this JSON Schema:\n{"type": "object"}'
SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"messages": [SYSTEM, USER], "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {
                "messages": [{**SYSTEM, "content": f"S\n\n{SCHEMA_WORDS}"}, USER],
                "response_format": {"type": "json_object"},
            },
        ),
        (
            {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"messages": [{**SYSTEM, "content": SCHEMA_WORDS}, USER], "response_format": {"type": "json_object"}},
        ),
        (
            {"input": [], "text": {"format": {"type": "json_schema", "schema": SCHEMA}, "verbosity": "low"}},
            {
                "input": [],
                "instructions": SCHEMA_WORDS,
                "text": {"format": {"type": "json_object"}, "verbosity": "low"},
            },
        ),
    ],
)
def test_a_schema_in_words(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert with_described_schema(fields) == expected
    assert with_described_schema(expected) is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"messages": [], "response_format": {"type": "json_object"}},
            {"messages": [{"role": "system", "content": JSON_ONLY}]},
        ),
        (
            {"input": [], "instructions": "I", "text": {"format": {"type": "json_object"}}},
            {"input": [], "instructions": f"I\n\n{JSON_ONLY}"},
        ),
        (
            {"input": [], "text": {"format": {"type": "json_object"}, "verbosity": "low"}},
            {"input": [], "instructions": JSON_ONLY, "text": {"verbosity": "low"}},
        ),
    ],
)
def test_json_in_words(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert with_described_json(fields) == expected
    assert with_described_json(expected) is expected


def test_images_in_words() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    file = {"type": "file", "file": {}}
    words = {"type": "text", "text": "see"}
    fields = {
        "messages": [USER, {"role": "user", "content": [words, image]}, {"role": "user", "content": [file, image]}]
    }
    expected = [
        USER,
        {"role": "user", "content": f"see\n\n{UNSEEN}"},
        {"role": "user", "content": [file, {"type": "text", "text": UNSEEN}]},
    ]
    assert without_images(fields) == {"messages": expected}
    output = {"type": "function_call_output", "output": [{"type": "input_image", "image_url": "data:"}]}
    assert without_images({"input": [output, "x"]}) == {
        "input": [{**output, "output": [{"type": "input_text", "text": UNSEEN}]}, "x"]
    }
    for nothing in ({"messages": [USER]}, {"messages": 1}, {}):
        assert without_images(nothing) is nothing


def test_a_system_within_the_first_turn() -> None:
    assert without_system({"messages": [SYSTEM, USER]}) == {"messages": [{**USER, "content": "S\n\nU"}]}
    parts = [{"type": "text", "text": "U"}]
    assert without_system({"messages": [SYSTEM, {"role": "user", "content": parts}]}) == {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "S"}, *parts]}]
    }
    assert without_system({"messages": [SYSTEM]}) == {"messages": [{"role": "user", "content": "S"}]}
    for nothing in ({"messages": [USER]}, {"input": [SYSTEM]}):
        assert without_system(nothing) is nothing
