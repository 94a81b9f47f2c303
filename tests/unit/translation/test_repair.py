"""What is left out of a request that an upstream refused, and what is remembered of it."""

from typing import Any

import pytest
from tests.support.builders.repairs import MODEL, known, memory, refusal

from claude_gateway_proxy.translation import repair
from claude_gateway_proxy.translation.changes import without_thinking
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import KEPT_SECONDS, Model, Repairs

ASKED: dict[str, Any] = {"messages": [], "max_tokens": 100, "thinking": {}, "output_config": {"effort": "low"}}


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


OTHERS = (Model("t", "openai/other"), Model("other", "openai/m"))


def learn(repairs: Repairs, model: Model, refused: Refusal) -> str | None:
    """Return what changes in a request that is refused once and then taken."""
    found = repairs.after(MODEL, refused, {**LONG, "max_tokens": 10_000})
    assert found is not None
    return repairs.learn(model, refused, found[1])


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
