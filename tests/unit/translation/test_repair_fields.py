"""What is changed in the fields of a request that an upstream refused."""

from typing import Any

import pytest
from tests.support.builders.repairs import CHAT, MODEL, known, memory, refusal

from claude_gateway_proxy.translation.refusal import Refusal


def but(*names: str, **others: Any) -> dict[str, Any]:
    return {name: value for name, value in CHAT.items() if name not in names} | others


@pytest.mark.parametrize(
    ("words", "name", "fields", "lasting"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            "output_name",
            but("max_tokens", max_completion_tokens=100),
            True,
        ),
        ("Unsupported parameter: max_tokens", "output_name", but("max_tokens", max_completion_tokens=100), True),
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
            "supported.",
            "temperature",
            but("temperature"),
            True,
        ),
        ("invalid temperature: only 1 is allowed for this model", "temperature", but("temperature"), True),
        (
            "temperature: Input should be less than or equal to 1; it should be a number",
            "temperature",
            but("temperature"),
            False,
        ),
        ("`temperature` and `top_p` cannot both be specified for this model.", "top_p", but("top_p"), True),
        ("top_p is not supported", "top_p", but("top_p"), True),
        ("Unsupported parameter: 'stop' is not supported with this model.", "stop", but("stop"), True),
        (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 "
            "instead.",
            "stop_length",
            but(stop=list("abcd")),
            True,
        ),
        (
            "Unsupported parameter: 'parallel_tool_calls' is not supported with this model.",
            "parallel_tool_calls",
            but("parallel_tool_calls"),
            True,
        ),
        ("stream_options: Extra inputs are not permitted", "stream_options", but("stream_options"), True),
        ("tool_choice 'required' is incompatible with thinking enabled", "thinking", but("reasoning_effort"), False),
        ("this model does not support tool_choice=required", "tool_choice", but("tool_choice"), True),
        (
            "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: "
            "'low', 'medium', and 'high'.",
            "effort",
            but(reasoning_effort="high"),
            True,
        ),
        ("`reasoning_effort` must be one of `none` or `default`", "effort", but(reasoning_effort="default"), True),
        ("Model grok-4-latest does not support parameter reasoningEffort.", "thinking", but("reasoning_effort"), True),
        # DeepSeek, vLLM and GitHub Copilot name the effort that they refuse next to those that they take.
        (
            "Failed to deserialize the JSON body: reasoning_effort: unknown variant `xhigh`, expected one of `low`, "
            "`high` at line 1 column 300",
            "effort",
            but(reasoning_effort="high"),
            True,
        ),
        (
            "reasoning_effort: Input should be 'low', 'medium' or 'high', 'input': 'xhigh'",
            "effort",
            but(reasoning_effort="high"),
            True,
        ),
        (
            'reasoning_effort "xhigh" is not supported by model gpt-x; supported values: [low medium high]',
            "effort",
            but(reasoning_effort="high"),
            True,
        ),
        ("invalid temperature: only 0.6 is allowed for this model", "temperature", but("temperature"), True),
        # A conflict with another field of this one request says nothing of the next.
        ("tool_choice is not supported together with response_format", "tool_choice", but("tool_choice"), False),
        ("temperature is not supported with web_search", "temperature", but("temperature"), False),
        ("'stream_options' is not allowed unless 'stream' is true", "stream_options", but("stream_options"), False),
        (
            "parallel_tool_calls not allowed when no tools are sent",
            "parallel_tool_calls",
            but("parallel_tool_calls"),
            False,
        ),
        ("reasoning_effort 'xhigh' is not allowed with tools: use 'low'", "effort", but(reasoning_effort="low"), False),
        ("'stop' : maximum number of items is 4", "stop_length", but(stop=list("abcd")), True),
        (
            "this model is not supported MaxTokens, please use MaxCompletionTokens",
            "output_name",
            but("max_tokens", max_completion_tokens=100),
            True,
        ),
    ],
)
def test_a_field_that_a_server_refuses_in_its_own_words(
    words: str, name: str, fields: dict[str, Any], lasting: bool
) -> None:
    repairs = memory()
    assert repairs.after(MODEL, refusal(words), CHAT) == (fields, name)
    assert repairs.learn(MODEL, refusal(words), name) == (name if lasting else None)
    assert known(repairs, CHAT) == (fields if lasting else CHAT)
    assert repairs.after(MODEL, refusal(words), {"messages": []}) is None, "it would fail again"


def test_a_forced_choice_where_thinking_cannot_be_turned_off() -> None:
    words = refusal("tool_choice 'required' is incompatible with thinking enabled")
    repairs = memory()
    assert repairs.after(MODEL, words, but("reasoning_effort")) == (
        but("reasoning_effort", "tool_choice"),
        "tool_choice",
    )
    assert repairs.learn(MODEL, words, "tool_choice") is None
    named = {"tool_choice": {"type": "function", "function": {"name": "x"}}}
    assert repairs.after(MODEL, words, named) == ({}, "tool_choice")
    assert repairs.after(MODEL, words, {"tool_choice": "none"}) is None


def test_the_older_name_of_the_output_limit() -> None:
    words = refusal("Unrecognized request argument supplied: max_completion_tokens")
    assert memory().after(MODEL, words, {"max_completion_tokens": 5}) == ({"max_tokens": 5}, "output_name")


def test_efforts_of_all_formats() -> None:
    words = refusal("effort: must be one of 'low', 'medium'")
    for name in ("reasoning", "output_config"):
        asked = {name: {"effort": "max", "x": 1}}
        assert memory().after(MODEL, words, asked) == ({name: {"effort": "medium", "x": 1}}, "effort")
    assert memory().after(MODEL, words, {"reasoning_effort": "low"}) == ({}, "thinking")
    assert memory().after(MODEL, words, {"output_config": {"effort": "low"}}) == ({}, "thinking")


def test_summaries_of_responses() -> None:
    words = refusal("Your organization must be verified to generate reasoning summaries.")
    assert memory().after(MODEL, words, {"reasoning": {"effort": "low", "summary": "auto"}}) == (
        {"reasoning": {"effort": "low"}},
        "summaries",
    )
    assert memory().after(MODEL, words, {"reasoning": {"summary": "auto"}}) == ({}, "summaries")


def test_a_parameter_that_is_named_beside_the_words() -> None:
    words = "Unsupported value: 'xhigh' is not supported with the 'gpt-5.1' model. Supported values are: 'low', 'high'."
    named = Refusal(400, words, "reasoning_effort")
    assert memory().after(MODEL, refusal(words), CHAT) is None
    assert memory().after(MODEL, named, CHAT) == (but(reasoning_effort="high"), "effort")
    assert memory().after(MODEL, Refusal(400, "Unsupported parameter", "top_p"), CHAT) == (but("top_p"), "top_p")


def test_thinking_that_only_streams_may_have() -> None:
    words = refusal("parameter.enable_thinking must be set to false for non-streaming calls")
    off = {**CHAT, "enable_thinking": False}
    assert memory().after(MODEL, words, CHAT) == (off, "thinking_switch")
    assert memory().after(MODEL, words, {**CHAT, "stream": True}) is None
    assert memory().after(MODEL, words, off) is None
