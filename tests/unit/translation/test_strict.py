"""Strict tools of Messages clients: their calls keep to their schemas, or the request is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.chat.capabilities import Capabilities
from claude_gateway_proxy.translation.chat.request import chat_request
from claude_gateway_proxy.translation.messages.dialect import plain_messages
from claude_gateway_proxy.translation.messages.events import assembled
from claude_gateway_proxy.translation.messages.options import request_options
from claude_gateway_proxy.translation.messages.reading import Unsupported
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.responses.request import responses_request
from claude_gateway_proxy.translation.schema.nulls import has_options, without_nulls, without_options
from claude_gateway_proxy.translation.schema.strict import fits_strict

NULL = {"type": "null"}
TEXT = {"type": "string"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


OPTIONAL = closed(["a"], a=TEXT, b={"type": "integer"}, c={"type": ["string", "null"]})


def request(schema: Any, **more: Any) -> Any:
    tool = {"name": "tool", "input_schema": schema, "strict": True, **more}
    other = {"name": "other", "input_schema": schema}
    return plain_messages({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9, "tools": [tool, other]})


def sent(schema: Any, **more: Any) -> Any:
    """Whether the two tools are strict, and their schemas, for each format."""
    asked = request(schema, **more)
    names = request_options(asked, model="m").names
    chat = [tool["function"] for tool in chat_request(asked, names=names, capabilities=Capabilities())["tools"]]
    flat = responses_request(asked, names=names)["tools"]
    assert [tool["parameters"] for tool in flat] == [function["parameters"] for function in chat]
    return [
        (tool["strict"], function.get("strict"), function["parameters"])
        for tool, function in zip(flat, chat, strict=True)
    ]


def test_a_strict_tool_is_strict_for_the_upstream() -> None:
    whole = closed(["a"], a=TEXT)
    assert sent(whole) == [(True, True, whole), (False, None, whole)]
    assert sent(whole, strict=False) == [(False, None, whole)] * 2
    assert sent(whole, strict="yes") == [(False, None, whole)] * 2


def test_what_is_optional_may_be_null() -> None:
    schema = closed(["a", "b", "c"], a=TEXT, b={"anyOf": [{"type": "integer"}, NULL]}, c={"type": ["string", "null"]})
    assert sent(OPTIONAL) == [(True, True, schema), (False, None, OPTIONAL)]
    assert fits_strict(schema)


@pytest.mark.parametrize("word", ["anyOf", "oneOf", "allOf"])
def test_a_schema_that_would_be_loosened_is_refused_by_name(word: str) -> None:
    with pytest.raises(Unsupported, match="'tool' cannot be strict"):
        sent({"type": "object", word: [closed(["a"], a=TEXT)]})
    with pytest.raises(Unsupported, match="'tool' cannot be strict"):
        responses_request(request({word: [OPTIONAL]}), names=request_options(request({}), model="m").names)


def called(*pieces: str, schema: Any = OPTIONAL, name: str = "tool", finish: str = "tool_calls") -> Any:
    """The input of a call whose arguments come in pieces, and in how many pieces it went out."""
    writer = Writer(request_options(request(schema), model="m"))
    reader = ChatReader(writer)
    events = [writer.start()]
    for number, text in enumerate(("", *pieces)):
        call = {"index": 0, "id": "c", "function": {"name": None if number else name, "arguments": text}}
        events += reader.chunk({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    events += reader.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    (block,) = assembled([*events, *reader.end()]).content
    return block.input  # type: ignore[union-attr]


def test_nulls_for_what_is_absent_do_not_reach_the_client() -> None:
    given = '{"a":"x","b":null,"c":null}'
    assert called(given) == {"a": "x", "c": None}
    assert called(*given) == {"a": "x", "c": None}
    assert called(*given, name="other") == json.loads(given)
    assert called('{"a":"x","b":1}') == {"a": "x", "b": 1}
    assert called("{}") == {}


def test_a_call_that_was_cut_off_is_passed_on_as_it_is() -> None:
    writer = Writer(request_options(request(OPTIONAL), model="m"))
    reader = ChatReader(writer)
    call = {"index": 0, "id": "c", "function": {"name": "tool", "arguments": '{"a":"x","b":nu'}}
    list(reader.chunk({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "length"}]}))
    deltas = [event.delta for event in reader.end() if hasattr(event, "delta")]
    assert [delta.partial_json for delta in deltas if hasattr(delta, "partial_json")] == ['{"a":"x","b":nu']


@pytest.mark.parametrize(
    ("schema", "given", "kept"),
    [
        (closed([], a=closed([], b=TEXT)), {"a": {"b": None}}, {"a": {}}),
        (
            closed(["a"], a={"type": "array", "items": closed([], b=TEXT)}),
            {"a": [{"b": None}, None]},
            {"a": [{}, None]},
        ),
        (closed(["a"], a=TEXT), {"a": None}, {"a": None}),
        (closed([], a=NULL, b={"enum": ["x", None]}, c={}, d={"const": None}), dict.fromkeys("abcd"), None),
        (closed([], a={"anyOf": [TEXT, NULL]}), {"a": None}, None),
        (closed([], a={"anyOf": [TEXT, {"type": "integer"}]}), {"a": None}, {}),
        ({**closed([], a={"$ref": "#/$defs/t"}), "$defs": {"t": TEXT}}, {"a": None}, {}),
        ({**closed([], a={"$ref": "#/$defs/t"}), "$defs": {"t": {"anyOf": [NULL, TEXT]}}}, {"a": None}, None),
        (closed([], a={"anyOf": [closed([], b=TEXT), closed(["b"], b=TEXT)]}), {"a": {"b": None}}, None),
        ({**closed([], a={"$ref": "#"}), "title": "t"}, {"a": {"a": None}}, {"a": {}}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, {"a": None}, None),
        (closed([], a=TEXT), {"b": None}, None),
        (closed([], a=TEXT), [None], None),
    ],
)
def test_which_nulls_stand_for_nothing(schema: Any, given: Any, kept: Any) -> None:
    assert json.loads(without_nulls(json.dumps(given), schema)) == (given if kept is None else kept)


def test_every_object_of_a_schema_requires_all_that_it_has() -> None:
    deep = {
        **closed(
            [], a={"type": "array", "items": closed([], b=TEXT)}, r={"$ref": "#/$defs/d"}, x={"default": 1, **TEXT}
        ),
        "$defs": {"d": {"anyOf": [closed([], e=TEXT), True, NULL]}},
    }
    found = without_options(deep)
    assert fits_strict(found)
    assert found["properties"]["r"] == {"$ref": "#/$defs/d"}
    assert has_options(deep)
    assert not has_options(found)
    assert not has_options(None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "null", "string", "#/$defs/a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "required", "anyOf", "items", "$ref", "$defs", "enum", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(schema=st.dictionaries(st.sampled_from(["type", "properties", "anyOf", "$ref", "$defs"]), JSON), value=JSON)
def test_no_schema_crashes(schema: Any, value: Any) -> None:
    without_options(schema)
    without_nulls(json.dumps(value), schema)
    assert without_nulls("{", schema) == "{"
