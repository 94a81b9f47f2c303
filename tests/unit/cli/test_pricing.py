"""Costs of an explained request at list price."""

import pytest

from claude_gateway.cli.pricing import priced


@pytest.mark.parametrize(
    ("model", "tokens", "known"),
    [
        ("anthropic/claude-opus-4-5", (1000, 100), True),
        ("anthropic/*", (1000, 100), True),
        ("anthropic/claude-opus-4-5", (1000, None), True),
        ("hosted_vllm/mine", (1000, 100), False),
        ("anthropic/claude-opus-4-5", (None, None), False),
    ],
)
def test_a_known_model_has_a_cost(model: str, tokens: tuple[int | None, int | None], known: bool) -> None:
    request = {
        "model": "claude-opus-4-5",
        "inputTokens": tokens[0],
        "outputTokens": tokens[1],
        "targets": [{"model": model}],
    }
    cost = priced(request)["targets"][0]["cost"]
    assert (cost is not None) is known
    assert not known or float(cost) > 0


def test_the_cost_is_that_of_input_and_output() -> None:
    request = {
        "model": "m",
        "inputTokens": 1_000_000,
        "outputTokens": 0,
        "targets": [{"model": "anthropic/claude-opus-4-5"}],
    }
    more = {**request, "outputTokens": 10_000}
    first, second = (float(priced(each)["targets"][0]["cost"]) for each in (request, more))
    assert 0 < first < second
