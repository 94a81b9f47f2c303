"""Every model that a body names is found, wherever it stands, and nothing else is taken for one."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from tests.support.builders import oddjson

from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.errors import Failure


def named(text: str) -> set[str]:
    return {model for _, model in further_models(parse(b'{"model":"own",%s}' % text.encode()))}


def of(**fields: Any) -> set[str]:
    return named(json.dumps(fields)[1:-1])


SCHEMA = {"type": "object", "properties": {"model": {"type": "string", "enum": ["a"]}}, "required": ["model"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"models": ["x", "y"]},
        {"Fallback_Models": ["x", "y"]},
        {"fallbacks": ["x", "y"]},
        {"fallbacks": [{"model": "x"}, {"gpt-a": ["y"]}]},
        {"fallbacks": [{"model": "x", "messages": [{"role": "user", "content": "hi"}]}, "y"]},
        {"context_window_fallbacks": [{"x": ["x", "y"]}]},
        {"content_policy_fallbacks": ["x"], "model_id": "y"},
        {"extra_body": {"model": "x", "models": ["y"]}},
        {"user_config": {"model_list": [{"model_name": "x", "litellm_params": {"model": "y"}}]}},
        {"router_settings_override": {"fallbacks": [{"x": ["y"]}, "x"]}},
        {"plugins": [{"id": "auto-router", "allowed_models": ["x"]}, {"id": "fusion", "model": "y"}]},
        {"compound_custom": {"models": {"answering_model": "x", "reasoning_model": "y"}}},
        {"providerOptions": {"gateway": {"models": ["x", "y"]}}},
        {"preset": "x", "engine": "y"},
        {"adapter_id": "x", "Lora_Path": "y"},
        {"deployment": "x", "deployment_id": "y"},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "x"}, {"type": "a", "Model": "y"}]},
        {"tools": [{"type": "image_generation", "model": "x"}, {"type": "custom", "name": "n", "model": "y"}]},
        {
            "tools": [
                {"type": "openrouter:sub", "parameters": {"model": "x"}},
                {"type": "t", "function": {"model": "y"}},
            ]
        },
        {"tools": [{"type": "function", "Type": "other", "parameters": {"model": "x"}}, {"type": 1, "model": "y"}]},
        {"tools": {"model": "x", "more": [{"model": "y"}]}},
        {"tools": [1, {"model": "x"}, [{"model": "y"}]]},
    ],
)
def test_models_are_found_by_the_names_of_their_fields(fields: dict[str, Any]) -> None:
    assert of(**fields) - {"auto-router", "fusion"} == {"x", "y"}


@pytest.mark.parametrize(
    "text",
    [
        '"tools":[{"type":"advisor","model":"x","model":"y"}]',
        '"tools":[{"type":"advisor","mod\\u0065l":"x","\\u004dodel":"y"}]',
        '"extra_body":{"models":["x"],"models":["y"]}',
    ],
)
def test_no_spelling_hides_a_model(text: str) -> None:
    assert named(text) == {"x", "y"}


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "model": "x"}]}]},
        {"tools": [{"name": "Task", "description": "model", "input_schema": SCHEMA}]},
        {"tools": [{"type": "custom", "name": "Task", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
        {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "user_location": {"city": "x"}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "model", "schema": SCHEMA}}},
        {"output_config": {"format": {"schema": SCHEMA}}, "text": {"format": {"schema": SCHEMA}}},
        {"metadata": {"model": "x"}, "thinking": {"type": "adaptive"}, "tool_choice": {"type": "auto"}},
        {"models": 1, "fallbacks": None, "preset": True, "tools": None},
    ],
)
def test_what_people_wrote_and_schemas_name_no_models(fields: dict[str, Any]) -> None:
    assert of(**fields) == set()


def test_a_field_says_where_it_stands() -> None:
    assert list(further_models(parse(b'{"model":"m","extra_body":{"model":"x"}}'))) == [("extra_body", "x")]


@pytest.mark.parametrize("depth", [900, 2000, 100_000])
def test_a_value_of_any_depth_is_read_or_rejected(depth: int) -> None:
    text = '"x":' + "[" * depth + '{"model":"x"}' + "]" * depth
    with suppress(Failure):
        assert named(text) == {"x"}


@given(oddjson.requests(model="a"))
def test_any_body_can_be_read(raw: bytes) -> None:
    for _, model in further_models(parse(raw)):
        assert isinstance(model, str)
