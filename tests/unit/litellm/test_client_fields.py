"""Requests of OpenAI's clients in the shapes that they send them in, as LiteLLM gets them."""

from typing import Any

import pytest

from claude_gateway_proxy.litellm.client_fields import chat, responses
from claude_gateway_runtime.failure import Failure

USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object"}
FUNCTION = {"type": "function", "function": {"name": "x", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "y"}}


def asked(**fields: Any) -> dict[str, Any]:
    """What a request has next to its messages."""
    found = chat({"messages": [USER], **fields})
    assert found.pop("messages") == [USER]
    return found


def test_a_regular_request_stays_as_it_is() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "x", "arguments": '{"a": 1}'}}
    regular = {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "user", "content": []},
        ],
        "tools": [FUNCTION, {"type": "custom", "custom": {"name": "z"}}],
        "tool_choice": {"type": "function", "function": {"name": "x"}},
        "stop": ["END"],
    }
    assert chat(regular) == regular
    assert chat({"messages": 1}) == {"messages": 1}
    assert chat({"messages": [7], "tools": [7]}) == {"messages": [7], "tools": [7]}


@pytest.mark.parametrize(
    "tool",
    [
        {"function": {"name": "x", "parameters": SCHEMA}},
        {"type": "function", "name": "x", "parameters": SCHEMA, "strict": None},
        {"name": "x", "input_schema": SCHEMA},
        {"type": "custom", "name": "x", "input_schema": SCHEMA},
    ],
)
def test_tools_in_the_shapes_of_other_formats(tool: dict[str, Any]) -> None:
    assert asked(tools=[tool]) == {"tools": [FUNCTION]}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "x"}, {"type": "function", "function": {"name": "x"}}),
        ({"type": "function", "name": "x"}, {"type": "function", "function": {"name": "x"}}),
        ({"type": "something new"}, {"type": "something new"}),
    ],
)
def test_choices_in_the_shapes_of_other_formats(choice: dict[str, Any], wanted: Any) -> None:
    assert asked(tool_choice=choice) == {"tool_choice": wanted}


def test_allowed_tools_leave_some_of_them() -> None:
    inner = {"mode": "required", "tools": [{"type": "function", "function": {"name": "y"}}]}
    for choice in ({"type": "allowed_tools", "allowed_tools": inner}, {"type": "allowed_tools", **inner}):
        assert asked(tools=[FUNCTION, OTHER, 7], tool_choice=choice) == {"tools": [OTHER], "tool_choice": "required"}
    for wrong, words in (
        ({**inner, "mode": "x"}, "needs a mode"),
        ([], "needs a mode"),
        ({**inner, "tools": [{"name": "z"}, 7, {"type": "function", "function": 7}]}, "leaves none"),
    ):
        with pytest.raises(Failure, match=words):
            asked(tools=[FUNCTION], tool_choice={"type": "allowed_tools", "allowed_tools": wrong})


def test_empty_stops_are_left_out() -> None:
    assert asked(stop=["", "END"]) == {"stop": ["END"]}
    assert asked(stop=[""]) == {"stop": None}


def test_texts_of_responses_are_texts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = [{"type": "input_text", "text": "a"}, image, {"type": "output_text", "text": "b"}]
    expected = [{"type": "text", "text": "a"}, image, {"type": "text", "text": "b"}]
    assert chat({"messages": [{"role": "user", "content": parts}]})["messages"] == [
        {"role": "user", "content": expected}
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ('{"city": "Par', '{"arguments": "{\\"city\\": \\"Par"}'),
        ("[1]", '{"arguments": [1]}'),
        ('{"a":1}{"b":2}', '{"arguments": "{\\"a\\":1}{\\"b\\":2}"}'),
        ('{"a": 1}', '{"a": 1}'),
        ("", ""),
        (None, None),
    ],
)
def test_a_history_with_arguments_that_are_no_object(given: Any, wanted: Any) -> None:
    def turn(arguments: Any) -> dict[str, Any]:
        return {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "x", "arguments": arguments}}, 7]}

    assert chat({"messages": [turn(given)]})["messages"] == [turn(wanted)]


@pytest.mark.parametrize(
    ("messages", "words"),
    [([], "messages: at least one"), ([{"role": "user", "content": 5}], r"messages\.0\.content: must be a string")],
)
def test_messages_that_nobody_could_read(messages: Any, words: str) -> None:
    with pytest.raises(Failure, match=words):
        chat({"messages": messages})


def test_tools_of_chat_in_a_request_of_responses() -> None:
    flat = {"type": "function", "name": "x", "parameters": SCHEMA}
    assert responses({"input": "x", "tools": [FUNCTION, flat, 7]}) == {"input": "x", "tools": [flat, flat, 7]}
    assert responses({"input": [], "instructions": "I"}) == {"input": [], "instructions": "I"}
    with pytest.raises(Failure, match="input: at least one item"):
        responses({"input": []})
