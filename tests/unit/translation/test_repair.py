"""What is left out of a request that an upstream refused, and what is remembered of it."""

from typing import Any

import pytest

from claude_gateway_proxy.translation import repair
from claude_gateway_proxy.translation.changes import without_thinking
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import KEPT_SECONDS, Model, Repairs

ASKED: dict[str, Any] = {"messages": [], "max_tokens": 100, "thinking": {}, "output_config": {"effort": "low"}}


def memory() -> Repairs:
    """Repairs in an hour that does not pass."""
    return Repairs(clock=lambda: 0.0)


def refusal(words: str) -> Refusal:
    return Refusal(400, words)


def too_much(tokens: int, *, of_model: bool = False) -> Refusal:
    if of_model:
        return refusal(f"max_tokens is too large: 99. This model supports at most {tokens} completion tokens.")
    return refusal(
        f"'max_tokens' is too large: 99. This model's maximum context length is {tokens + 7} tokens and your request "
        f"has 7 input tokens (99 > {tokens + 7} - 7)."
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"a": 1, "thinking": {}, "output_config": {"effort": "low"}}, {"a": 1}),
        ({"output_config": {"effort": "low", "format": {}}}, {"output_config": {"format": {}}}),
        ({"reasoning_effort": "low"}, {}),
        ({"reasoning": {}}, {}),
    ],
)
def test_without_thinking(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert without_thinking(fields) == expected


def test_without_thinking_leaves_others_alone() -> None:
    fields = {"messages": [], "output_config": {"format": {}}}
    assert without_thinking(fields) is fields


MODEL = Model("t", "openai/m")
OTHERS = (Model("t", "openai/other"), Model("other", "openai/m"))


def learn(repairs: Repairs, model: Model, refused: Refusal) -> str | None:
    """Return what changes in a request that is refused once and then taken."""
    found = repairs.after(MODEL, refused, {**LONG, "max_tokens": 10_000})
    assert found is not None
    return repairs.learn(model, refused, found[1])


def known(repairs: Repairs, fields: dict[str, Any], model: Model = MODEL) -> dict[str, Any]:
    return repairs.known(model, fields)[0]


@pytest.mark.parametrize(
    "words",
    [
        '"llama3" does not support thinking',
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        "Unrecognized request argument supplied: reasoning_effort",
        "Encrypted content is not supported with this model.",
        "reasoning_effort: Extra inputs are not permitted",
    ],
)
def test_a_model_that_does_not_think_is_remembered_and_no_other(words: str) -> None:
    repairs = memory()
    assert known(repairs, ASKED) is ASKED
    expected = {"messages": [], "max_tokens": 100}
    assert repairs.after(MODEL, refusal(words), ASKED) == (expected, "thinking")
    assert known(repairs, ASKED) is ASKED, "nothing was learned before the second try succeeded"
    assert learn(repairs, MODEL, refusal(words)) == "thinking"
    assert learn(repairs, MODEL, refusal(words)) is None, "it is not new"
    assert repairs.known(MODEL, ASKED) == (expected, ("thinking",))
    assert repairs.known(MODEL, {"messages": []}) == ({"messages": []}, ())
    assert all(known(repairs, ASKED, other) is ASKED for other in OTHERS)


@pytest.mark.parametrize(
    "words",
    [
        "Thinking may not be enabled when tool_choice forces tool use.",
        "`temperature` may only be set to 1 when thinking is enabled.",
        "`max_tokens` must be greater than `thinking.budget_tokens`.",
        "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        "Function tools with reasoning_effort are not supported for gpt-x in /v1/chat/completions.",
        "reasoning_effort is not supported together with response_format.",
        "thinking.type: adaptive thinking is not supported on this model",
        "messages.1.content.0: Expected `thinking`, but found `text`. When `thinking` is enabled, ...",
        "prefilling the assistant message is not supported with thinking",
    ],
)
def test_a_conflict_within_one_request_is_repaired_and_not_remembered(words: str) -> None:
    repairs = memory()
    assert repairs.after(MODEL, refusal(words), ASKED) == ({"messages": [], "max_tokens": 100}, "thinking")
    assert learn(repairs, MODEL, refusal(words)) is None
    assert known(repairs, ASKED) is ASKED


def test_a_models_limit_is_remembered_and_a_prompts_is_not() -> None:
    repairs = memory()
    shared = too_much(50)
    assert repairs.after(MODEL, shared, ASKED) == ({**ASKED, "max_tokens": 50}, "output")
    assert learn(repairs, MODEL, shared) is None
    assert known(repairs, ASKED) is ASKED
    assert learn(repairs, MODEL, too_much(60, of_model=True)) == "output"
    assert known(repairs, ASKED) == {**ASKED, "max_tokens": 60}
    assert repairs.after(MODEL, too_much(200), ASKED) is None, "it would fail again"
    assert all(known(repairs, ASKED, other) is ASKED for other in OTHERS)


def test_what_is_known_expires() -> None:
    now = 0.0
    repairs = Repairs(clock=lambda: now)
    learn(repairs, MODEL, refusal("thinking is not supported"))
    now = KEPT_SECONDS / 2
    learn(repairs, MODEL, too_much(60, of_model=True))
    assert known(repairs, ASKED) == {"messages": [], "max_tokens": 60}
    now = KEPT_SECONDS
    assert known(repairs, ASKED) == {**ASKED, "max_tokens": 60}
    now = 2 * KEPT_SECONDS
    assert known(repairs, ASKED) is ASKED
    assert learn(repairs, MODEL, too_much(60, of_model=True)) == "output", "it is new again"


def test_the_newest_models_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_MODELS_MOST", 2)
    repairs = memory()
    models = [Model("t", name) for name in "abc"]
    for model in models:
        learn(repairs, model, too_much(60, of_model=True))
    assert [known(repairs, ASKED, model)["max_tokens"] for model in models] == [100, 60, 60]


THOUGHT = {"type": "thinking", "thinking": "", "signature": "cgw1."}
SAID = {"type": "text", "text": "hello"}
LONG: dict[str, Any] = {**ASKED, "messages": [{"role": "assistant", "content": [THOUGHT, SAID]}]}
SHORT = {**ASKED, "messages": [{"role": "assistant", "content": [SAID]}]}


def test_a_history_of_thoughts_is_left_out_where_it_is_refused() -> None:
    repairs = memory()
    unknown = refusal("property 'reasoning_content' is unsupported")
    assert repairs.after(MODEL, unknown, LONG) == (SHORT, "thoughts")
    learn(repairs, MODEL, unknown)
    assert known(repairs, LONG) == SHORT


def test_summaries_that_are_not_for_everybody_are_not_asked_for_again() -> None:
    repairs = memory()
    words = refusal("Your organization must be verified to generate reasoning summaries.")
    hidden = {**ASKED, "thinking": {"display": "omitted"}}
    assert repairs.after(MODEL, words, ASKED) == (hidden, "summaries")
    learn(repairs, MODEL, words)
    assert known(repairs, ASKED) == hidden
    assert repairs.after(MODEL, words, hidden) is None


def test_thoughts_for_another_account_are_left_out_once() -> None:
    repairs = memory()
    words = "The encrypted content gAAA... could not be verified. Reason: Encrypted content could not be decrypted."
    assert repairs.after(MODEL, refusal(words), LONG) == (SHORT, "thoughts")
    assert repairs.after(MODEL, refusal(words), SHORT) is None, "it would fail again"
    learn(repairs, MODEL, refusal(words))
    assert known(repairs, LONG) is LONG, "what is thought from now on can be read"


def test_other_complaints_are_the_callers() -> None:
    assert memory().after(MODEL, refusal("messages: too few"), ASKED) is None
    assert memory().after(MODEL, Refusal(500, "reasoning"), ASKED) is None
    assert memory().learn(MODEL, refusal("messages: too few"), "thinking") is None


CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 100,
    "temperature": 0.2,
    "top_p": 0.9,
    "stop": list("abcde"),
    "parallel_tool_calls": False,
    "stream_options": {"include_usage": True},
    "reasoning_effort": "xhigh",
    "tool_choice": "required",
}


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
