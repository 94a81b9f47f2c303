"""A model's names: of clouds, with dates, and with the context that a client wants of it."""

import pytest

from claude_gateway.contract.model_ids import context_of, variants, without_context, without_provider


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("claude-opus-4-6", ("claude-opus-4-6",)),
        ("claude-opus-4-6[1m]", ("claude-opus-4-6[1m]", "claude-opus-4-6")),
        ("gpt-5.4[1M]", ("gpt-5.4[1M]", "gpt-5.4")),
        ("[1m]", ("[1m]",)),
        ("x[y]", ("x[y]",)),
        (
            "claude-opus-4-5@20251101[1m]",
            ("claude-opus-4-5@20251101[1m]", "claude-opus-4-5@20251101", "claude-opus-4-5-20251101", "claude-opus-4-5"),
        ),
        (
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
            ("us.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5-20251101", "claude-opus-4-5"),
        ),
    ],
)
def test_names_under_which_a_model_is_looked_up(model: str, names: tuple[str, ...]) -> None:
    assert variants(model) == names


def test_a_context_is_not_a_part_of_the_name() -> None:
    assert without_context("deepseek-v4-pro[200k]") == "deepseek-v4-pro"


@pytest.mark.parametrize(
    ("model", "tokens"), [("m", 0), ("m[1m]", 1_000_000), ("m[2M]", 2_000_000), ("m[200k]", 200_000), ("[1m]", 0)]
)
def test_a_context_is_a_number_of_tokens(model: str, tokens: int) -> None:
    assert context_of(model) == tokens


@pytest.mark.parametrize(
    ("model", "shorter"),
    [
        ("openai/gpt-5", "gpt-5"),
        ("openrouter/anthropic/claude-x", "anthropic/claude-x"),
        ("gpt-5", None),
        ("openai/", None),
        ("/gpt-5", None),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-x", None),
    ],
)
def test_a_provider_in_front_of_a_name(model: str, shorter: str | None) -> None:
    assert without_provider(model) == shorter
