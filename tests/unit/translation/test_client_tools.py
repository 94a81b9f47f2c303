"""The tools of OpenAI's clients as Claude's, and their calls."""

import json

import pytest
from tests.support.builders.client_requests import (
    BOTH,
    CLAUDES,
    FUNCTION,
    OLD,
    TOOL,
    USER,
    Ask,
    call,
    chat,
    kinds,
    responses,
    target,
)

from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses


@BOTH
def test_tools_and_choices_arrive(ask: Ask) -> None:
    tool = FUNCTION if ask is chat else TOOL
    named = (
        {"type": "function", "function": {"name": "weather"}}
        if ask is chat
        else {"type": "function", "name": "weather"}
    )
    inner = {"mode": "required", "tools": [named]}
    allowed = {"type": "allowed_tools", "allowed_tools": inner} if ask is chat else {"type": "allowed_tools", **inner}
    choices = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}
    for choice, wanted in choices.items():
        body = ask(tools=[tool], tool_choice=choice)
        assert (body["tools"], body["tool_choice"]) == ([CLAUDES], wanted)
    assert ask(tools=[tool], tool_choice=named)["tool_choice"] == {"type": "tool", "name": "weather"}
    other = json.loads(json.dumps(tool).replace("weather", "clock"))
    body = ask(tools=[other, tool], tool_choice=allowed)
    assert ([each["name"] for each in body["tools"]], body["tool_choice"]) == (["weather"], {"type": "any"})
    assert ask(tools=[tool], parallel_tool_calls=False)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    for nothing in ({"parallel_tool_calls": False}, {"tools": [], "tool_choice": "auto"}, {"tool_choice": "none"}):
        assert not {"tools", "tool_choice"} & ask(**nothing).keys()
    for wrong in (
        {"tool_choice": "required"},
        {"tools": [tool], "tool_choice": "some"},
        {"tools": [tool], "tool_choice": {"type": "x"}},
    ):
        with pytest.raises(Rejected, match="tool_choice"):
            ask(**wrong)
    missing = json.loads(json.dumps(named).replace("weather", "clock"))
    with pytest.raises(Rejected, match="none of the name 'clock'"):
        ask(tools=[tool], tool_choice=missing)


@BOTH
def test_a_tool_that_comes_twice_is_one(ask: Ask) -> None:
    tool = FUNCTION if ask is chat else TOOL
    assert ask(tools=[tool, tool])["tools"] == [CLAUDES]


@BOTH
def test_a_strict_tool_is_strict_or_rejected(ask: Ask) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    tool = {"name": "count", "parameters": schema, "strict": True}
    given = {"type": "function", "function": tool} if ask is chat else {"type": "function", **tool}
    (found,) = ask(tools=[given])["tools"]
    assert found["strict"] is True
    assert found["input_schema"]["additionalProperties"] is False
    assert found["input_schema"]["properties"]["n"] == {"type": "integer", "description": '{"minimum":1}'}
    with pytest.raises(Rejected, match=r"strict: is not supported"):
        ask(tools=[given], model=OLD)


@BOTH
def test_names_that_claude_refuses_are_replaced(ask: Ask) -> None:
    tool = {"name": "a.b c", "parameters": {}}
    given = {"type": "function", "function": tool} if ask is chat else {"type": "function", **tool}
    asked = (of_chat if ask is chat else of_responses)(
        {"messages": [USER], "input": [USER], "tools": [given]}, target=target()
    )
    (sent,) = asked.body["tools"]
    assert sent["name"].startswith("a_b_c_")
    assert asked.answer.tools.to_client(sent["name"]).name == "a.b c"


def test_groups_and_custom_tools_of_responses_keep_their_names() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    tools = [
        {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", "name": "read", "parameters": {}}]},
        {"type": "custom", "name": "patch", "description": "d", "format": grammar},
        {"type": "image_generation"},
        {"type": "tool_search"},
    ]
    past = [
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
        {"type": "function_call", "call_id": "c2", "namespace": "mcp__files", "name": "read", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "text"},
    ]
    asked = of_responses({"input": [USER, *past], "tools": tools}, target=target())
    assert [tool["name"] for tool in asked.body["tools"]] == ["mcp__files__read", "patch"]
    assert "start: X" in asked.body["tools"][1]["description"]
    calls = [block for turn in asked.body["messages"] for block in turn["content"] if block["type"] == "tool_use"]
    assert [(each["name"], each["input"]) for each in calls] == [
        ("patch", {"input": "*** Begin"}),
        ("mcp__files__read", {}),
    ]
    back = asked.answer.tools.to_client("mcp__files__read")
    assert (back.namespace, back.name) == ("mcp__files", "read")
    assert asked.answer.tools.to_client("patch").kind == "custom"


@BOTH
def test_a_web_search_keeps_its_limits(ask: Ask) -> None:
    options = {"filters": {"allowed_domains": ["a.example"]}, "user_location": {"type": "approximate", "city": "Wien"}}
    given = {"web_search_options": options} if ask is chat else {"tools": [{"type": "web_search", **options}]}
    (found,) = ask(**given)["tools"]
    assert (found["type"], found["name"], found["allowed_domains"]) == (
        "web_search_20250305",
        "web_search",
        ["a.example"],
    )
    assert found["user_location"] == {"type": "approximate", "city": "Wien"}
    unknown = {"filters": {"languages": ["de"]}}
    wrong = {"web_search_options": unknown} if ask is chat else {"tools": [{"type": "web_search", **unknown}]}
    with pytest.raises(Rejected, match="languages: is not supported"):
        ask(**wrong)
    elsewhere = {"messages": [USER], "input": [USER], **given}
    with pytest.raises(Rejected, match="not supported"):
        (of_chat if ask is chat else of_responses)(elsewhere, target=target(searches=False))


def test_a_web_search_without_the_web_is_left_out() -> None:
    assert "tools" not in responses(tools=[{"type": "web_search", "external_web_access": False}])


@pytest.mark.parametrize("kind", ["code_interpreter", "file_search", "mcp", "shell", "computer_use_preview", "x", None])
def test_other_tools_are_rejected_by_name(kind: str | None) -> None:
    for ask in (chat, responses):
        with pytest.raises(Rejected, match=f"tools.1: tools of type '{kind}' are not supported"):
            ask(tools=[FUNCTION if ask is chat else TOOL, {"type": kind}])


def test_legacy_functions_are_tools() -> None:
    legacy = {"functions": [FUNCTION["function"]], "function_call": {"name": "weather"}, "tools": None}
    asked = of_chat({"messages": [USER], **legacy}, target=target())
    assert asked.legacy
    assert asked.body["tool_choice"] == {"type": "tool", "name": "weather"}
    function = FUNCTION["function"]
    past = [
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "sun"},
    ]
    asked = of_chat(
        {"messages": [USER, *past], "functions": [function], "function_call": {"name": "weather"}}, target=target()
    )
    assert asked.legacy
    assert (asked.body["tools"], asked.body["tool_choice"]) == ([CLAUDES], {"type": "tool", "name": "weather"})
    assert kinds(asked.body)[1:] == [("assistant", ["tool_use"]), ("user", ["tool_result"])]


@BOTH
def test_calls_without_tools_bring_their_own_tools_and_no_other(ask: Ask) -> None:
    past = [{"role": "assistant", "tool_calls": [call("c1")]}, {"role": "tool", "tool_call_id": "c1", "content": "x"}]
    items = [
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]
    body = ask(USER, *(past if ask is chat else items))
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert body["tool_choice"] == {"type": "none"}
    assert "tools" not in chat(USER, {"role": "assistant", "content": "x", "tool_calls": []}, USER)
