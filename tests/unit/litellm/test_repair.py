"""What is left out of a request that an upstream refused, and what is remembered of it."""

from typing import Any

import pytest

from claude_gateway_proxy.litellm.exceptions import TooMuchOutput
from claude_gateway_proxy.litellm.limits import MostOutput
from claude_gateway_proxy.litellm.repair import Repairs, without_thinking
from claude_gateway_runtime.failure import Failure

ASKED: dict[str, Any] = {"messages": [], "max_tokens": 100, "thinking": {}, "output_config": {"effort": "low"}}


def refusal(message: str) -> Failure:
    return Failure(status=400, type="invalid_request_error", message=message)


def too_much(tokens: int, *, of_model: bool = False) -> Failure:
    return TooMuchOutput(status=400, message="x", most=MostOutput(tokens, of_model=of_model))


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


@pytest.mark.parametrize(
    "words",
    [
        '"llama3" does not support thinking',
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        "Encrypted content is not supported with this model.",
    ],
)
def test_a_target_that_does_not_think_is_remembered(words: str) -> None:
    repairs = Repairs()
    assert repairs.known("t", ASKED) is ASKED
    expected = {"messages": [], "max_tokens": 100}
    assert repairs.after(refusal(words), ASKED) == expected
    assert repairs.known("t", ASKED) is ASKED, "nothing was learnt before the second try succeeded"
    repairs.learn("t", refusal(words))
    assert repairs.known("t", ASKED) == expected
    assert repairs.known("other", ASKED) is ASKED


def test_a_models_limit_is_remembered_and_a_prompts_is_not() -> None:
    repairs = Repairs()
    shared = too_much(50)
    assert repairs.after(shared, ASKED) == {**ASKED, "max_tokens": 50}
    repairs.learn("t", shared)
    assert repairs.known("t", ASKED) is ASKED
    repairs.learn("t", too_much(60, of_model=True))
    assert repairs.known("t", ASKED) == {**ASKED, "max_tokens": 60}
    assert repairs.after(too_much(200), ASKED) is None, "it would fail again"


THOUGHT = {"type": "thinking", "thinking": "", "signature": "cgw1."}
SAID = {"type": "text", "text": "hello"}
LONG: dict[str, Any] = {**ASKED, "messages": [{"role": "assistant", "content": [THOUGHT, SAID]}]}
SHORT = {**ASKED, "messages": [{"role": "assistant", "content": [SAID]}]}


def test_a_history_of_thoughts_is_left_out_where_it_is_refused() -> None:
    repairs = Repairs()
    unknown = refusal("property 'reasoning_content' is unsupported")
    assert repairs.after(unknown, LONG) == SHORT
    repairs.learn("t", unknown)
    assert repairs.known("t", LONG) == SHORT


def test_summaries_that_are_not_for_everybody_are_not_asked_for_again() -> None:
    repairs = Repairs()
    words = refusal("Your organization must be verified to generate reasoning summaries.")
    hidden = {**ASKED, "thinking": {"display": "omitted"}}
    assert repairs.after(words, ASKED) == hidden
    repairs.learn("t", words)
    assert repairs.known("t", ASKED) == hidden
    assert repairs.after(words, hidden) is None


def test_thoughts_for_another_account_are_left_out_once() -> None:
    repairs = Repairs()
    words = "The encrypted content gAAA... could not be verified. Reason: Encrypted content could not be decrypted."
    assert repairs.after(refusal(words), LONG) == SHORT
    assert repairs.after(refusal(words), SHORT) is None, "it would fail again"
    repairs.learn("t", refusal(words))
    assert repairs.known("t", LONG) is LONG, "what is thought from now on can be read"


def test_other_complaints_are_the_callers() -> None:
    assert Repairs().after(refusal("messages: too few"), ASKED) is None
    assert Repairs().after(Failure(status=500, type="api_error", message="reasoning"), ASKED) is None
