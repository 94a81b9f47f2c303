"""What is left out of a request that an upstream refused, and what is remembered of it."""

from typing import Any

import pytest

from claude_gateway_proxy.litellm.errors import Failure
from claude_gateway_proxy.litellm.repair import Repairs, without_thinking

ASKED: dict[str, Any] = {"messages": [], "max_tokens": 100, "thinking": {}, "output_config": {"effort": "low"}}


def refusal(message: str, **more: Any) -> Failure:
    return Failure(status=400, type="invalid_request_error", message=message, **more)


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
        "property 'reasoning_content' is unsupported",
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
    shared = refusal("x", most_output=50)
    assert repairs.after(shared, ASKED) == {**ASKED, "max_tokens": 50}
    repairs.learn("t", shared)
    assert repairs.known("t", ASKED) is ASKED
    repairs.learn("t", refusal("x", most_output=60, of_model=True))
    assert repairs.known("t", ASKED) == {**ASKED, "max_tokens": 60}
    assert repairs.after(refusal("x", most_output=200), ASKED) is None, "it would fail again"


def test_other_complaints_are_the_callers() -> None:
    assert Repairs().after(refusal("messages: too few"), ASKED) is None
    assert Repairs().after(Failure(status=500, type="api_error", message="reasoning"), ASKED) is None
