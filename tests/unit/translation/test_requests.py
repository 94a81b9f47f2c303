"""Requests of Messages in OpenAI's formats: no input breaks the translation, and schemas become what is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import ChatCapabilities
from claude_gateway_proxy.capabilities import capabilities
from claude_gateway_proxy.translation.chat import request as chat
from claude_gateway_proxy.translation.messages import reading
from claude_gateway_proxy.translation.messages.options import request_options
from claude_gateway_proxy.translation.responses import request as responses
from claude_gateway_proxy.translation.schema.gemini import for_gemini
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.schema.strict import fits_strict
from claude_gateway_proxy.translation.schema.unfolding import Budget
from claude_gateway_proxy.translation.thinking import Thought, read, sign

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
PDF = {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "A"}}
CALLS = [{"type": "tool_use", "id": f"t{number}", "name": "n", "input": {}} for number in (1, 2)]
RESULTS = [
    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "one"}, IMAGE]},
    {"type": "tool_result", "tool_use_id": "t2", "content": "two"},
]


def chat_request(request: dict[str, Any], *, provider: str) -> Any:
    """A request as Chat Completions for what a provider accepts."""
    names = request_options(request, model="m").names
    accepted = PROVIDERS[provider].translation.chat or ChatCapabilities()
    return chat.chat_request(request, names=names, capabilities=capabilities(accepted, Budget()))


def responses_request(request: dict[str, Any]) -> Any:
    """A request as Responses."""
    return responses.responses_request(request, names=request_options(request, model="m").names)


@pytest.mark.parametrize("choice", [{"type": "any"}, {}])
def test_a_switch_against_parallel_calls_goes_under_openais_name(choice: dict[str, Any]) -> None:
    tools = [{"name": "n", "input_schema": {}}]
    request = turns(("user", "go"), tool_choice={**choice, "disable_parallel_tool_use": True})
    for found in (
        chat_request({**request, "tools": tools}, provider="openai"),
        responses_request({**request, "tools": tools}),
    ):
        assert found["parallel_tool_calls"] is False
        assert found.get("tool_choice") == ("required" if choice else None)
    assert "parallel_tool_calls" not in {**chat_request(request, provider="openai"), **responses_request(request)}


def turns(*turns_: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"max_tokens": 5, "messages": [{"role": role, "content": content} for role, content in turns_], **more}


def test_results_come_right_behind_their_calls_and_their_images_after_all_of_them() -> None:
    request = turns(("user", "go"), ("assistant", CALLS), ("user", [*RESULTS, {"type": "text", "text": "more"}]))
    _, _, one, two, shown = chat_request(request, provider="hosted_vllm")["messages"]
    assert (one["role"], one["tool_call_id"], two["content"]) == ("tool", "t1", "two")
    assert one["content"].startswith("one\n")
    assert [part["type"] for part in shown["content"]] == ["text", "image_url", "text"]
    *_, first, second, more = responses_request(request)["input"]
    assert [part["type"] for part in first["output"]] == ["input_text", "input_image"]
    assert second["output"] == "two"
    assert more["content"] == [{"type": "input_text", "text": "more"}]


def test_documents_go_where_they_can_be_read() -> None:
    request = turns(("user", [PDF]))
    (message,) = chat_request(request, provider="gemini")["messages"]
    assert message["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,A"}}
    ]
    (message,) = chat_request(request, provider="hosted_vllm")["messages"]
    assert message["content"] == "[a.pdf: a document that this model cannot read]"
    text = {"type": "document", "title": "T", "source": {"type": "text", "data": "words"}}
    (message,) = chat_request(turns(("user", [text])), provider="hosted_vllm")["messages"]
    assert message["content"] == "T\nwords"


def test_thoughts_go_back_to_who_wants_them() -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": "e"}
    thought = {"type": "thinking", "thinking": "", "signature": sign(Thought(text="because", items=[item]))}
    request = turns(("user", "go"), ("assistant", [thought, CALLS[0]]), ("user", [RESULTS[1]]))
    for provider, expected in (("deepseek", "because"), ("hosted_vllm", "because"), ("mistral", None)):
        assert chat_request(request, provider=provider)["messages"][1].get("reasoning_content") == expected
    assert responses_request(request)["input"][1] == item


@pytest.mark.parametrize("signature", ["", "cgw1.", "cgw1.!", "cgw1.AAAA", "EqoB", None, 5])
def test_a_signature_that_is_not_ours_or_broken_is_nothing(signature: Any) -> None:
    assert read(signature) is None


def test_a_signature_that_unpacks_to_too_much_is_nothing() -> None:
    assert read(sign(Thought(text="x" * 5_000_000))) is None


def test_a_probe_with_one_token_is_one_that_openai_takes() -> None:
    assert responses_request(turns(("user", "hi"), max_tokens=1))["max_output_tokens"] == 16


@pytest.mark.parametrize(
    ("options", "effort"),
    [
        ({"thinking": {"type": "adaptive"}}, None),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"output_config": {"effort": "new"}}, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "medium"}}, "medium"),
    ],
)
def test_effort(options: dict[str, Any], effort: str | None) -> None:
    request = turns(("user", "hi"), **options)
    assert chat_request(request, provider="hosted_vllm").get("reasoning_effort") == effort
    assert responses_request(request).get("reasoning", {}).get("effort") == effort


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"anyOf": [{"type": "object"}]}}}, False),
        ({**CLOSED, "properties": {"a": {"oneOf": []}}}, False),
    ],
)
def test_an_answers_schema_is_strict_where_openai_takes_it_so(schema: dict[str, Any], strict: bool) -> None:
    assert fits_strict(schema) is strict
    request = turns(("user", "hi"), output_config={"format": {"type": "json_schema", "schema": schema}})
    found = chat_request(request, provider="openai")["response_format"]["json_schema"]
    assert (found["schema"], found["strict"]) == (schema, strict)
    assert responses_request(request)["text"]["format"]["strict"] is strict


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {"type": "object", "properties": {}}),
        (None, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {
                "anyOf": [
                    {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
                    {"properties": {"a": {}}, "required": ["a"]},
                ]
            },
            {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array"}}},
            {"type": "object", "properties": {"a": {"type": "array", "items": {}}}},
        ),
    ],
)
def test_a_schema_that_openai_refuses(schema: Any, expected: dict[str, Any]) -> None:
    assert for_openai(schema) == expected


def test_a_schema_that_openai_takes_is_untouched() -> None:
    schema = {"$schema": "x", **CLOSED, "$defs": {"D": {"oneOf": [{"const": 1}]}}, "patternProperties": {"^x": {}}}
    assert for_openai(schema) == schema


def test_references_unfold_to_no_more_than_can_be_sent() -> None:
    level = {
        f"L{n}": {"type": "object", "properties": {key: {"$ref": f"#/$defs/L{n + 1}"} for key in "ab"}}
        for n in range(40)
    }
    found = for_gemini({"type": "object", "properties": {"x": {"$ref": "#/$defs/L0"}}, "$defs": level}, Budget())
    assert len(str(found)) < 1_000_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
WORDS = (
    "type",
    "properties",
    "items",
    "anyOf",
    "oneOf",
    "allOf",
    "enum",
    "const",
    "required",
    "$ref",
    "$defs",
    "format",
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "null", ["string", "null"], ["integer", "string"]])
SCHEMA = st.recursive(
    JSON | st.fixed_dictionaries({"type": TYPES}),
    lambda inner: st.dictionaries(
        st.sampled_from(WORDS),
        inner | st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
        max_size=4,
    ),
    max_leaves=12,
)


def parts(schema: Any) -> Any:
    """Every schema within one."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        yield from parts(inner)
    if "items" in schema:
        yield from parts(schema["items"])


@given(SCHEMA)
def test_no_schema_breaks_the_repairs(schema: Any) -> None:
    found = for_openai(schema)
    assert found["type"] == "object"
    assert isinstance(found["properties"], dict)
    fits_strict(schema)
    for part in parts(for_gemini(schema, Budget())):
        assert isinstance(part, dict)
        assert isinstance(part.get("type", ""), str)
        assert not part.keys() & {"$ref", "oneOf", "allOf", "const", "additionalProperties", "$defs"}
        assert "enum" not in part or part["type"] == "string"


BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "x"])},
    optional=dict.fromkeys(
        ["text", "content", "name", "id", "input", "source", "title", "tool_use_id", "signature"], JSON
    ),
)
REQUEST = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.builds(
                lambda role, content: {"role": role, "content": content},
                st.sampled_from(["user", "assistant"]) | JSON,
                st.lists(BLOCK | JSON, max_size=4) | JSON,
            ),
            max_size=4,
        )
    },
    optional=dict.fromkeys(
        ["system", "tools", "tool_choice", "thinking", "output_config", "max_tokens", "stream"], JSON
    ),
)


@given(REQUEST, st.sampled_from(["hosted_vllm", "gemini", "mistral", "deepseek"]))
def test_no_request_breaks_the_translation(request: dict[str, Any], provider: str) -> None:
    request_options(request, model="m")
    for message in chat_request(request, provider=provider)["messages"]:
        assert message["role"] in ("system", "user", "assistant", "tool")
    for item in responses_request(request)["input"]:
        assert item["type"] in ("message", "function_call", "function_call_output", "reasoning")


LATER: tuple[str, list[dict[str, Any]]] = ("user", [{"type": "text", "text": "later"}])


def test_turns_of_one_role_in_a_row_are_one() -> None:
    reminder = {"type": "text", "text": "r"}
    request = turns(("user", "go"), ("assistant", CALLS), ("user", [RESULTS[1], reminder]), ("user", [RESULTS[0]]))
    messages = chat_request(request, provider="hosted_vllm")["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
    roles = [turn[0] for turn in reading.messages_of(turns(("user", "a"), ("user", "b"), ("assistant", "c")))]
    assert roles == ["user", "assistant"]
    assert reading.messages_of({"messages": [5, {"role": "user", "content": 7}]}) == [("user", [])]


def test_mistral_gets_nothing_between_results_and_the_answer() -> None:
    request = turns(("user", "go"), ("assistant", CALLS), ("user", [*RESULTS, {"type": "text", "text": "more"}]))
    *_, one, two = chat_request(request, provider="mistral")["messages"]
    assert (one["role"], two["role"]) == ("tool", "tool")
    assert [part["type"] for part in two["content"]] == ["text", "text", "image_url", "text"]
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "two"}
    plain = turns(("user", "go"), ("assistant", CALLS[:1]), ("user", [result, LATER[1][0]]))
    assert chat_request(plain, provider="mistral")["messages"][-1]["content"] == "two\n\nlater"
    empty = turns(("user", "go"), ("assistant", CALLS[:1]), ("user", [{"type": "tool_result", "tool_use_id": "t1"}]))
    assert chat_request(empty, provider="mistral")["messages"][-1]["content"] == ""


@pytest.mark.parametrize("provider", ["deepseek", "moonshot"])
def test_every_call_comes_back_with_reasoning_where_a_provider_wants_it(provider: str) -> None:
    thought = {"type": "thinking", "thinking": "", "signature": sign(Thought(text="hm"))}
    turn: list[Any]
    for turn, expected in ((CALLS, " "), ([thought, *CALLS], "hm")):
        request = turns(("user", "go"), ("assistant", turn), ("user", RESULTS))
        assert chat_request(request, provider=provider)["messages"][1]["reasoning_content"] == expected
    conversation = turns(("user", "go"), ("assistant", "words"), LATER)
    assert "reasoning_content" not in chat_request(conversation, provider=provider)["messages"][1]
    assert chat_request({**conversation, "thinking": {"type": "disabled"}}, provider=provider)["thinking"] == {
        "type": "disabled"
    }
    assert "thinking" not in chat_request(conversation, provider=provider)


def test_openrouter_gets_reasoning_as_it_gives_it() -> None:
    thought = {"type": "thinking", "thinking": "", "signature": sign(Thought(text="hm"))}
    call = {**CALLS[0], "id": "t1__thought__c2ln"}
    request = turns(("user", "go"), ("assistant", [thought, call, CALLS[1]]), ("user", RESULTS))
    assert chat_request(request, provider="openrouter")["messages"][1]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "index": 0},
        {"type": "reasoning.encrypted", "format": "google-gemini-v1", "id": "t1", "data": "c2ln", "index": 1},
    ]


@pytest.mark.parametrize("kind", ["image", "document"])
def test_a_file_of_anthropics_is_rejected_by_name(kind: str) -> None:
    block = {"type": kind, "source": {"type": "file", "file_id": "file_1"}}
    for content in ([block], [{"type": "tool_result", "tool_use_id": "t1", "content": [block]}]):
        with pytest.raises(reading.Unsupported, match="file_id"):
            chat_request(turns(("user", content)), provider="hosted_vllm")
        with pytest.raises(reading.Unsupported, match="file_id"):
            responses_request(turns(("user", content)))
