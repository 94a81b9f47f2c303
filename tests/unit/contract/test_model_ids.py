"""A model's names: of clouds, with dates, and with the context that a client wants of it."""

import pytest

from claude_gateway.contract.model_ids import variants, without_context


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
