"""What is changed in the turns of a request that an upstream refused."""

from typing import Any

import pytest
from tests.support.builders.repairs import MODEL, known, memory, refusal

from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import Model

CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]}


@pytest.mark.parametrize(
    ("words", "name", "changed"),
    [
        (
            "Unable to submit request because function call `default_api:a` in the 2. content block is missing a "
            "`thought_signature`.",
            "signatures",
            {
                "tool_calls": [
                    {"id": "a", "extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}},
                    {"id": "b"},
                ]
            },
        ),
        ("messages.1.content: Input should be a valid string", "content", {"content": ""}),
        ("Invalid value for 'content': expected a string, got null.", "content", {"content": ""}),
        ("content is required for assistant message", "content", {"content": ""}),
    ],
)
def test_what_a_server_wants_of_earlier_calls(words: str, name: str, changed: dict[str, Any]) -> None:
    user = {"role": "user", "content": "hi"}
    repairs = memory()
    fields = {"messages": [user, CALLED, user]}
    repaired = {"messages": [user, CALLED | changed, user]}
    assert repairs.after(MODEL, refusal(words), fields) == (repaired, name)
    assert repairs.after(MODEL, refusal(words), repaired) is None
    assert repairs.learn(MODEL, refusal(words), name) == name


def test_reasoning_items_that_a_model_does_not_take() -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    fields = {"input": [item], "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}
    words = refusal("Item 'rs_1' of type 'reasoning' was provided without its required following item.")
    assert memory().after(MODEL, words, fields) == ({**fields, "input": []}, "thoughts")
    assert memory().learn(MODEL, words, "thoughts") is None
    words = refusal("Encrypted content is not supported with this model.")
    rest = {name: value for name, value in fields.items() if name != "include"}
    assert memory().after(MODEL, words, fields) == (rest, "include")


@pytest.mark.parametrize(
    "words",
    [
        "The reasoning_content in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
    ],
)
def test_reasoning_that_a_server_wants_back(words: str) -> None:
    call = {"role": "assistant", "tool_calls": [{}]}
    others = [{"role": "user"}, {"role": "assistant", "content": "x"}, {**call, "reasoning_content": "hm"}]
    repairs = memory()
    fields = {"messages": [call, *others]}
    expected = {"messages": [{**call, "reasoning_content": " "}, *others]}
    assert repairs.after(MODEL, refusal(words), fields) == (expected, "placeholders")
    assert repairs.learn(MODEL, refusal(words), "placeholders") == "placeholders"
    assert known(repairs, fields) == expected


def test_calls_of_responses_get_reasoning_before_them() -> None:
    words = refusal("The reasoning_content in the thinking mode must be passed back to the API.")
    unknown = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "(unknown)"}]}
    sealed: dict[str, Any] = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    known_of = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    one, other = {"type": "function_call", "call_id": "a"}, {"type": "custom_tool_call", "call_id": "b"}
    result, said = {"type": "function_call_output"}, {"role": "assistant", "content": "so"}
    given = ["x", sealed, one, other, result, known_of, said, one, result, one]
    expected = ["x", sealed, unknown, one, other, result, known_of, said, one, result, unknown, one]
    assert memory().after(MODEL, words, {"input": given}) == ({"input": expected}, "placeholders")
    assert memory().after(MODEL, words, {"input": expected}) is None


def test_reasoning_in_the_history_of_all_formats() -> None:
    words = refusal("property 'reasoning_content' is unsupported")
    for asked, expected in (
        (
            {"messages": [{"role": "assistant", "content": "x", "reasoning_content": "hm"}]},
            {"messages": [{"role": "assistant", "content": "x"}]},
        ),
        ({"input": [{"type": "reasoning"}, {"type": "message"}, "x"]}, {"input": [{"type": "message"}, "x"]}),
    ):
        assert memory().after(MODEL, words, asked) == (expected, "thoughts")


WORDED = Model("t", "openai/m", worded=True)


@pytest.mark.parametrize(
    ("words", "names", "lasting"),
    [
        ("This response_format type is unavailable now", ["schema", "format"], True),
        ("This model does not support response format `json_schema`.", ["schema", "format"], True),
        ("json mode cannot be combined with tool/function calling", ["schema", "format"], False),
        ("Invalid schema for response_format 'x': 'additionalProperties' is required", ["schema", "format"], False),
        ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", ["system"], True),
        ("System role not supported", ["system"], True),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", ["system"], True),
        ("messages[1]: unknown variant `image_url`, expected `text` at line 1", ["images"], True),
        ("image input is not supported - hint: you may need to provide the mmproj", ["images"], True),
        ("At most 0 image(s) may be provided in one request.", ["images"], True),
        ("Invalid content type. image_url is only supported by certain models.", ["images"], True),
        ("This model does not support image input.", ["images"], True),
        ("unsupported content type: image_url", ["images"], True),
        ("messages[1].content must be a string", ["images"], True),
    ],
)
def test_words_take_the_place_of_what_a_model_cannot_take(words: str, names: list[str], lasting: bool) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": [image]}]
    asked = fields = {"messages": messages, "response_format": schema}
    repairs, found = memory(), []
    while (changed := repairs.after(WORDED, refusal(words), fields)) is not None:
        fields, name = changed
        found.append(name)
        assert repairs.learn(WORDED, refusal(words), name) == (name if lasting else None)
    assert found == names
    assert repairs.known(WORDED, asked)[0] == (fields if lasting else asked)
    assert memory().after(MODEL, refusal(words), asked) is None, "a client of OpenAI's formats wants to know"


@pytest.mark.parametrize("words", ["Unsupported image format", "image is too large, not supported", "No image_url"])
def test_one_image_that_is_wrong_is_the_callers(words: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert memory().after(WORDED, refusal(words), {"messages": [{"role": "user", "content": [image]}]}) is None


def test_an_image_that_a_router_has_no_endpoint_for() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    fields = {"messages": [{"role": "user", "content": [image]}], "reasoning_effort": "high"}
    words = Refusal(404, "No endpoints found that support image input")
    found = memory().after(WORDED, words, fields)
    assert found is not None
    assert found[1] == "images"
    assert memory().after(WORDED, Refusal(404, "The model does not support reasoning_effort"), fields) is None


@pytest.mark.parametrize("words", ["System role not supported", "image input is not supported - hint: mmproj"])
def test_content_that_a_server_reports_as_its_own_failure(words: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    fields = {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [image]}], "temperature": 0}
    assert memory().after(WORDED, Refusal(500, words), fields) is not None
    assert memory().after(WORDED, Refusal(500, "Internal server error"), fields) is None
    assert memory().after(WORDED, Refusal(500, "temperature is not supported"), fields) is None


def test_what_a_user_says_behind_results() -> None:
    words = refusal("Unexpected role 'user' after role 'tool'")
    call = {"role": "assistant", "tool_calls": [{}]}
    result, said = {"role": "tool", "content": "r"}, {"role": "user", "content": "u"}
    fields = {"messages": [said, call, result, said, call, result]}
    expected = {"messages": [said, call, {**result, "content": "r\n\nu"}, call, result]}
    assert memory().after(MODEL, words, fields) == (expected, "results_last")
    assert memory().after(MODEL, words, expected) is None
    image = {"role": "user", "content": [{"type": "image_url"}]}
    parts = [{"type": "text", "text": "r"}, {"type": "image_url"}]
    assert memory().after(MODEL, words, {"messages": [result, image]}) == (
        {"messages": [{**result, "content": parts}]},
        "results_last",
    )
    assert memory().after(MODEL, words, {"messages": [{**result, "content": ""}, image]}) == (
        {"messages": [{**result, "content": parts[1:]}]},
        "results_last",
    )


def test_a_last_turn_that_the_model_goes_on_with() -> None:
    words = refusal("Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant")
    last = {"role": "assistant", "content": "so"}
    expected = {"messages": [{**last, "prefix": True}]}
    assert memory().after(MODEL, words, {"messages": [last]}) == (expected, "prefix")
    assert memory().after(MODEL, words, expected) is None
    assert memory().after(MODEL, words, {"messages": []}) is None
