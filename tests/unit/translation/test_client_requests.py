"""Requests of OpenAI's clients as Messages: their options arrive, and what Claude does not have is named."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.builders.client_requests import (
    ADAPTIVE,
    BOTH,
    BUDGET,
    CLAUDES,
    FUNCTION,
    NEWEST,
    OLD,
    PDF,
    PNG,
    THOUGHT,
    TOOL,
    USER,
    Ask,
    chat,
    kinds,
    responses,
    target,
)

from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses


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
