"""Requests of OpenAI's clients as Messages: everything that both can say arrives, and what Claude has not is named."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.thinking import opened, sealed
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses

OLD, BUDGET, ADAPTIVE, NEWEST = "claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-5-5"
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
TOOL = {"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA}
CLAUDES = {"name": "weather", "description": "d", "input_schema": SCHEMA}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjcK"


def target(model: str = BUDGET, **more: Any) -> Target:
    return Target(model, model, **more)


def chat(*messages: Any, model: str = BUDGET, **fields: Any) -> dict[str, Any]:
    return of_chat({"messages": list(messages or [USER]), **fields}, target=target(model)).body


def responses(*items: Any, model: str = BUDGET, **fields: Any) -> dict[str, Any]:
    return of_responses({"input": list(items or [USER]), **fields}, target=target(model)).body


def call(ident: str, arguments: str = "{}", name: str = "weather") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def kinds(body: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(turn["role"], [block["type"] for block in turn["content"]]) for turn in body["messages"]]


BOTH = pytest.mark.parametrize("ask", [chat, responses])
Ask = Callable[..., dict[str, Any]]


@BOTH
def test_a_request_without_a_limit_asks_for_all_that_the_model_can_write(ask: Ask) -> None:
    limits = {
        OLD: 8192,
        BUDGET: 64_000,
        ADAPTIVE: 128_000,
        NEWEST: 128_000,
        "claude-opus-4-1": 32_000,
        "unknown": 64_000,
    }
    assert {model: ask(model=model)["max_tokens"] for model in limits} == limits


def test_a_limit_holds_up_to_what_the_model_can_write() -> None:
    assert chat(max_tokens=7)["max_tokens"] == 7
    assert chat(max_tokens=7, max_completion_tokens=9)["max_tokens"] == 9
    assert chat(max_completion_tokens=10**6)["max_tokens"] == 64_000
    assert responses(max_output_tokens=7)["max_tokens"] == 7
    with pytest.raises(Rejected, match="max_tokens: must be a whole number above 0"):
        chat(max_tokens=0)


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_thinking_never_lowers_the_output_limit(effort: str) -> None:
    for model in (OLD, BUDGET, ADAPTIVE, NEWEST):
        whole = chat(model=model)["max_tokens"]
        for body in (chat(model=model, reasoning_effort=effort), responses(model=model, reasoning={"effort": effort})):
            assert body["max_tokens"] == whole
        for most in (1, 1500, 3000, 50_000):
            body = chat(model=model, reasoning_effort=effort, max_tokens=most)
            assert body["max_tokens"] == min(most, whole)
            assert body.get("thinking", {}).get("budget_tokens", 0) < body["max_tokens"]


def test_an_effort_becomes_what_the_model_knows_of_it() -> None:
    assert "thinking" not in chat(model=OLD, reasoning_effort="high")
    assert chat(reasoning_effort="low")["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert "thinking" not in chat(reasoning_effort="none")
    assert "thinking" not in chat(reasoning_effort="high", max_tokens=1500)
    older = chat(model=ADAPTIVE, reasoning_effort="xhigh")
    assert (older["thinking"], older["output_config"]) == ({"type": "adaptive"}, {"effort": "high"})
    newest = chat(model=NEWEST, reasoning_effort="minimal")
    assert newest["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert newest["output_config"] == {"effort": "low"}
    assert chat(model=NEWEST, reasoning_effort="none")["output_config"] == {"effort": "low"}
    hidden = responses(model=NEWEST, reasoning={"effort": "max"})
    assert hidden["thinking"]["display"] == "omitted"
    shown = responses(model=NEWEST, reasoning={"effort": "max", "summary": "auto"})
    assert (shown["thinking"]["display"], shown["output_config"]) == ("summarized", {"effort": "max"})
    with pytest.raises(Rejected, match="must be one of none, minimal"):
        chat(reasoning_effort="much")
    with pytest.raises(Rejected, match="must be one of none, minimal"):
        responses(reasoning={"effort": 3})


@BOTH
def test_a_forced_call_and_thinking_exclude_each_other(ask: Ask) -> None:
    effort = {"reasoning_effort": "high"} if ask is chat else {"reasoning": {"effort": "high"}}
    tools = [FUNCTION] if ask is chat else [TOOL]
    for model in (BUDGET, ADAPTIVE, NEWEST):
        body = ask(model=model, tools=tools, tool_choice="required", **effort)
        assert (body["tool_choice"], "thinking" in body) == ({"type": "any"}, False)


@BOTH
def test_sampling_is_what_the_model_takes(ask: Ask) -> None:
    given = {"temperature": 1.5, "top_p": 0.5}
    found = {model: ask(model=model, **given) for model in (OLD, BUDGET, ADAPTIVE, NEWEST)}
    sampling = {model: {key: body[key] for key in given if key in body} for model, body in found.items()}
    assert sampling == {
        OLD: {"temperature": 1, "top_p": 0.5},
        BUDGET: {"temperature": 1},
        ADAPTIVE: {"temperature": 1},
        NEWEST: {},
    }
    effort = {"reasoning_effort": "low"} if ask is chat else {"reasoning": {"effort": "low"}}
    assert not {"temperature", "top_p"} & ask(**given, **effort).keys()
    assert ask(top_p=0.97, **effort)["top_p"] == 0.97
    with pytest.raises(Rejected, match="temperature: must be a number"):
        ask(temperature="hot")


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


@pytest.mark.parametrize(
    "tool",
    [
        TOOL,
        {"function": FUNCTION["function"]},
        CLAUDES,
        {**CLAUDES, "type": "custom"},
    ],
)
def test_tools_in_the_shapes_of_other_formats(tool: dict[str, Any]) -> None:
    assert chat(tools=[tool])["tools"] == [CLAUDES]


def test_tools_in_the_shape_of_chat_arrive_through_responses() -> None:
    body = responses(tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "weather"}})
    assert body["tools"] == [CLAUDES]
    assert body["tool_choice"] == {"type": "tool", "name": "weather"}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({"type": "auto"}, {"type": "auto"}),
        ({"type": "any"}, {"type": "any"}),
        ({"type": "required"}, {"type": "any"}),
        ({"type": "none"}, {"type": "none"}),
        ({"type": "tool", "name": "weather"}, {"type": "tool", "name": "weather"}),
        ({"type": "function", "name": "weather"}, {"type": "tool", "name": "weather"}),
        ({"function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
    ],
)
def test_choices_in_the_shapes_of_other_formats(choice: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert chat(tools=[FUNCTION], tool_choice=choice)["tool_choice"] == wanted
    for wrong in ({"type": "x"}, {"type": "function"}, {}, 7):
        with pytest.raises(Rejected, match="tool_choice: must be auto"):
            chat(tools=[FUNCTION], tool_choice=wrong)


def test_parts_in_the_shapes_of_other_formats() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]
    file = {"type": "input_file", "filename": "x.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    said = [{"type": "reasoning", "text": "hm"}, {**THOUGHT}, {"type": "output_text", "text": "b"}]
    body = chat({"role": "user", "content": [*parts, file]}, {"role": "assistant", "content": said}, USER)
    assert kinds(body) == [
        ("user", ["text", "image", "document"]),
        ("assistant", ["thinking", "text"]),
        ("user", ["text"]),
    ]


def nulls(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split())


def test_nulls_say_nothing() -> None:
    fields = (
        "max_tokens max_completion_tokens temperature top_p n stop stream stream_options tools tool_choice functions "
        "function_call parallel_tool_calls response_format reasoning_effort logprobs top_logprobs logit_bias audio "
        "modalities seed user store metadata service_tier prediction verbosity web_search_options prompt_cache_key"
    )
    assert chat(**nulls(fields)) == chat()
    more = (
        "instructions max_output_tokens temperature top_p stream tools tool_choice parallel_tool_calls text reasoning "
        "include store metadata previous_response_id conversation prompt background top_logprobs truncation user"
    )
    assert responses(**nulls(more)) == responses()
    assert responses(previous_response_id="", conversation={}) == responses()


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


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"logit_bias": {"1": 2}},
        {"audio": {}},
        {"modalities": ["audio"]},
    ],
)
def test_what_claude_has_nothing_like_is_rejected_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=f"{next(iter(fields))}: is not supported"):
        chat(**fields)


def test_the_same_fields_may_say_nothing() -> None:
    chat(n=1, logprobs=False, logit_bias={}, modalities=["text"], top_logprobs=None, frequency_penalty=0.5, seed=1)


def test_logprobs_are_rejected_by_name() -> None:
    with pytest.raises(Rejected, match=r"include: message\.output_text\.logprobs is not supported"):
        responses(include=["reasoning.encrypted_content", "message.output_text.logprobs"])


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt", "background", "top_logprobs"])
def test_what_a_server_would_have_to_keep_is_rejected(name: str) -> None:
    with pytest.raises(Rejected, match=name):
        of_responses({"input": "hi", name: True}, target=target())
    with pytest.raises(Rejected, match=r"input\.1: an item_reference is not supported"):
        responses(USER, {"type": "item_reference", "id": "msg_1"})


@BOTH
@pytest.mark.parametrize("model", [BUDGET, OLD])
def test_structured_answers(ask: Ask, model: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}}
    inner = {"name": "answer", "strict": True, "schema": schema}
    form = {"type": "json_schema", "json_schema": inner} if ask is chat else {"type": "json_schema", **inner}
    wrapped = {"response_format": form} if ask is chat else {"text": {"format": form}}
    if model == OLD:
        with pytest.raises(Rejected, match="json_schema is not supported"):
            ask(model=model, **wrapped)
        return
    found = ask(model=model, **wrapped)["output_config"]["format"]
    assert (found["type"], found["schema"]["additionalProperties"]) == ("json_schema", False)
    plain = {"type": "json_object"}
    loose = ask(**({"response_format": plain} if ask is chat else {"text": {"format": plain}}))
    assert "JSON object" in loose["system"][-1]["text"]
    wrong = {"type": "yaml"}
    with pytest.raises(Rejected, match="must be text, json_object or json_schema"):
        ask(**({"response_format": wrong} if ask is chat else {"text": {"format": wrong}}))


def test_stops_that_are_blank_are_ours_to_heed() -> None:
    asked = of_chat({"messages": [USER], "stop": ["", "END", "\n\n"]}, target=target())
    assert (asked.body["stop_sequences"], asked.answer.stops) == (["END"], ("\n\n",))
    assert chat(stop="END")["stop_sequences"] == ["END"]
    assert "stop_sequences" not in chat(stop=[""])
    with pytest.raises(Rejected, match="stop: must be"):
        chat(stop=[3])


@BOTH
def test_who_asks_is_passed_on_unless_it_is_an_address(ask: Ask) -> None:
    assert ask(user="u1")["metadata"] == {"user_id": "u1"}
    assert "metadata" not in ask(user="a@b.example")


def test_system_and_developer_messages_are_the_system_prompt() -> None:
    body = chat(
        {"role": "system", "content": "one"}, USER, {"role": "developer", "content": [{"type": "text", "text": "two"}]}
    )
    assert [block["text"] for block in body["system"]] == ["one", "two"]
    assert kinds(body) == [("user", ["text"])]
    body = responses({"role": "developer", "content": "two"}, USER, instructions="one")
    assert [block["text"] for block in body["system"]] == ["one", "two"]
    alone = chat({"role": "system", "content": "say hi"})
    assert (kinds(alone), "system" in alone) == ([("user", ["text"])], False)
    with pytest.raises(Rejected, match="at least one message"):
        chat({"role": "user", "content": " "})


EMPTY = [
    {"role": "assistant", "content": text, "tool_calls": [call("c1")]}
    for text in ("", "\n", None, [{"type": "text", "text": ""}])
]


@pytest.mark.parametrize("said", EMPTY)
def test_empty_text_is_left_out(said: dict[str, Any]) -> None:
    body = chat(USER, said, {"role": "tool", "tool_call_id": "c1", "content": ""}, tools=[FUNCTION])
    assert kinds(body) == [("user", ["text"]), ("assistant", ["tool_use"]), ("user", ["tool_result"])]
    assert chat(USER, {"role": "assistant", "content": ""}, USER)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}] * 2}
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [('{"a": 1}', {"a": 1}), ('{"a', {"arguments": '{"a'}), ("[1]", {"arguments": [1]}), ("", {}), (None, {})],
)
def test_arguments_in_the_history_are_objects(given: Any, wanted: Any) -> None:
    body = chat(USER, {"role": "assistant", "tool_calls": [call("c1", given)]}, tools=[FUNCTION])
    assert body["messages"][1]["content"][0]["input"] == wanted
    body = responses(
        USER, {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": given}, tools=[TOOL]
    )
    assert body["messages"][1]["content"][0]["input"] == wanted


def test_every_call_has_its_result_right_behind_it() -> None:
    body = chat(
        USER,
        {"role": "assistant", "content": "go", "tool_calls": [call("c1"), call("c2"), call("c3")]},
        {"role": "user", "content": "meanwhile"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"role": "tool", "tool_call_id": "c9", "content": "nobody asked"},
        tools=[FUNCTION],
    )
    assert kinds(body)[1:] == [
        ("assistant", ["text", *["tool_use"] * 3]),
        ("user", [*["tool_result"] * 3, "text", "text"]),
    ]
    results = body["messages"][2]["content"][:3]
    assert [each["tool_use_id"] for each in results] == ["c2", "c1", "c3"]
    assert results[2]["is_error"] is True


def test_an_id_that_comes_twice_becomes_two() -> None:
    pair = ({"role": "assistant", "tool_calls": [call("c1")]}, {"role": "tool", "tool_call_id": "c1", "content": "x"})
    body = chat(USER, *pair, *pair, tools=[FUNCTION])
    calls = [block["id"] for turn in body["messages"] for block in turn["content"] if block["type"] == "tool_use"]
    results = [
        block["tool_use_id"] for turn in body["messages"] for block in turn["content"] if block["type"] == "tool_result"
    ]
    assert len(set(calls)) == 2
    assert calls == results


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


def test_an_assistant_that_speaks_first_or_last() -> None:
    first = chat({"role": "assistant", "content": "welcome"}, USER)
    assert [turn["role"] for turn in first["messages"]] == ["user", "assistant", "user"]
    last = chat(USER, {"role": "assistant", "content": "I say "})
    assert last["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "I say"}]}
    assert chat(USER, {"role": "assistant", "content": "I say"}, model=NEWEST)["messages"][-1]["role"] == "user"


IMAGES = [
    ("data:image/jpg;base64,/9j/4AAQ", "image/jpeg"),
    (f"data:image/jpeg;base64,{PNG}", "image/png"),
    (f"data:application/octet-stream;base64,{PNG}", "image/png"),
    ("DATA:image/WEBP;charset=x;base64,UklGRgAAAABXRUJQ", "image/webp"),
]


@pytest.mark.parametrize(("url", "kind"), IMAGES)
def test_images_have_the_type_that_they_are(url: str, kind: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    (found,) = chat({"role": "user", "content": [part]})["messages"][0]["content"]
    assert found == {"type": "image", "source": {"type": "base64", "media_type": kind, "data": url.partition(",")[2]}}
    item = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
    assert responses(item)["messages"][0]["content"] == [found]


def test_images_from_the_web_where_claude_fetches_them() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    message = {"role": "user", "content": [part]}
    assert chat(message)["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://a.example/x.png"}
    with pytest.raises(Rejected, match="data: URLs only"):
        of_chat({"messages": [message]}, target=target(urls=False))
    for url in ("http://a.example/x.png", "data:image/svg+xml;base64,AAAA", "data:x", "", None):
        with pytest.raises(Rejected, match=r"messages\.0\.content\.0\.image_url"):
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})


def test_files_are_documents() -> None:
    def read(**file: Any) -> Any:
        return chat({"role": "user", "content": [{"type": "file", "file": file}]})["messages"][0]["content"][0]

    pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert read(file_data=f"data:application/pdf;base64,{PDF}", filename="a.pdf") == {
        "type": "document",
        "source": pdf,
        "title": "a.pdf",
    }
    assert read(file_data=PDF)["source"] == pdf
    text = read(file_data="data:text/plain;base64,aGVsbG8=", filename="a.txt")
    assert text["source"] == {"type": "text", "media_type": "text/plain", "data": "hello"}
    item = {"type": "input_file", "file_url": "https://a.example/x.pdf"}
    assert responses({"role": "user", "content": [item]})["messages"][0]["content"][0]["source"]["type"] == "url"
    for wrong in (
        {"file_id": "file-1"},
        {"file_data": "data:application/zip;base64,AAAA"},
        {"file_data": "data:text/plain;base64,//8="},
    ):
        with pytest.raises(Rejected, match="file"):
            read(**wrong)


def test_other_parts_and_items_are_rejected_by_name() -> None:
    with pytest.raises(Rejected, match="parts of type 'input_audio'"):
        chat({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]})
    with pytest.raises(Rejected, match="parts of type 'x'"):
        responses({"role": "user", "content": [{"type": "x"}]})
    with pytest.raises(Rejected, match=r"input\.0: items of type 'computer_call'"):
        responses({"type": "computer_call"})
    with pytest.raises(Rejected, match="role: must be"):
        chat({"role": "judge", "content": "x"})


def test_hints_for_the_prompt_cache_stay_where_they_are() -> None:
    hint = {"type": "ephemeral"}
    part = {"type": "text", "text": "long", "cache_control": hint}
    body = chat(
        {"role": "system", "content": [part]},
        {"role": "user", "content": "x", "cache_control": hint},
        tools=[{**FUNCTION, "cache_control": hint}],
    )
    assert [
        body["system"][0]["cache_control"],
        body["messages"][0]["content"][0]["cache_control"],
        body["tools"][0]["cache_control"],
    ] == [hint] * 3


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


@pytest.mark.parametrize("block", [THOUGHT, {"type": "redacted_thinking", "data": "ZGF0YQ=="}])
def test_signed_thinking_comes_back(block: dict[str, Any]) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed(block)}
    step = [
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]
    body = responses(USER, item, *step, tools=[TOOL], reasoning={"effort": "low"})
    assert body["messages"][1]["content"][0] == block
    assert "thinking" in body
    redacted = {"type": "reasoning.encrypted", "data": "ZGF0YQ=="}
    detail = redacted if block["type"] != "thinking" else {"type": "reasoning.text", "text": "hm", "signature": "c2ln"}
    said = {"role": "assistant", "tool_calls": [call("c1")], "reasoning_details": [detail]}
    body = chat(
        USER, said, {"role": "tool", "tool_call_id": "c1", "content": "x"}, tools=[FUNCTION], reasoning_effort="low"
    )
    assert (body["messages"][1]["content"][0], "thinking" in body) == (block, True)
    said = {"role": "assistant", "tool_calls": [call("c1")], "thinking_blocks": [block]}
    assert chat(USER, said)["messages"][1]["content"][0] == block


def test_a_loop_that_was_not_thought_about_goes_on_without_thinking() -> None:
    past = [{"role": "assistant", "tool_calls": [call("c1")]}, {"role": "tool", "tool_call_id": "c1", "content": "x"}]
    assert "thinking" not in chat(USER, *past, tools=[FUNCTION], reasoning_effort="low")
    assert "thinking" in chat(USER, *past, USER, tools=[FUNCTION], reasoning_effort="low")
    assert "thinking" in chat(USER, *past, tools=[FUNCTION], reasoning_effort="low", model=NEWEST)


@pytest.mark.parametrize(
    "content", [None, 3, "", "cgwt1.", "cgwt1.!!", "cgwt1.AAAA", "gAAAA", sealed({"type": "thinking"})]
)
def test_thinking_of_somebody_else_is_left_out(content: Any) -> None:
    assert opened(content) is None
    body = responses(
        USER,
        {"type": "reasoning", "encrypted_content": content, "summary": []},
        {"role": "assistant", "content": "x"},
        USER,
    )
    assert kinds(body) == [("user", ["text"]), ("assistant", ["text"]), ("user", ["text"])]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "tool_calls",
                    "function",
                    "name",
                    "id",
                    "call_id",
                    "output",
                    "image_url",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "messages",
            "input",
            "tools",
            "functions",
            "tool_choice",
            "function_call",
            "response_format",
            "text",
            "stop",
            "reasoning",
            "stream_options",
            "web_search_options",
            "instructions",
            "max_tokens",
        ]
    ),
    JSON,
    max_size=5,
)


@given(FIELDS, st.lists(JSON, max_size=4))
@example({"tools": [{"type": []}], "tool_choice": {"type": {}}}, [])
def test_no_input_breaks_the_translation(fields: dict[str, Any], items: list[Any]) -> None:
    for read in (of_chat, of_responses):
        try:
            body = read({"messages": items, "input": items, **fields}, target=target()).body
        except Rejected:
            continue
        roles = [turn["role"] for turn in body["messages"]]
        assert roles[0] == "user"
        assert all(one != other for one, other in itertools.pairwise(roles))
        assert all(turn["content"] for turn in body["messages"])
        json.dumps(body)
