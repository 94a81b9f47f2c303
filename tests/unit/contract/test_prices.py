"""The cost of an answer, against sums that were done by hand from the vendors' pages."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract import models
from claude_gateway.contract.prices import Prices, Rates, Tokens, cost


def _cost(provider: str, name: str, tokens: Tokens) -> Decimal | None:
    found = models.find(provider, name)
    assert found is not None
    return cost(found.prices, tokens)


@pytest.mark.parametrize(
    ("provider", "name", "tokens", "dollars"),
    [
        # 1,000 x $2 + 500 x $10 per million
        ("anthropic", "claude-sonnet-5-5", Tokens(input=1000, output=500), "0.007"),
        # 12 x $4, 90,000 read at $0.20, 2,000 written at $5 and 1,000 for an hour at $8, 700 x $20
        (
            "anthropic",
            "claude-opus-5-5",
            Tokens(input=12, output=700, cache_read=90_000, cache_write=2000, cache_write_1h=1000),
            "0.050048",
        ),
        # The same model over Bedrock in the US costs a tenth more: 1,000 x $4.40 + 1,000 x $22
        ("bedrock", "us.anthropic.claude-opus-5-5", Tokens(input=1000, output=1000), "0.0264"),
        # 8,000 x $1.25, 2,000 read at $0.125; 1,000 answered and 3,000 thought, all at $10
        ("openai", "gpt-5", Tokens(input=8000, cache_read=2000, output=1000, reasoning=3000), "0.05025"),
        # OpenAI takes nothing extra for writing to its cache: that costs what input costs.
        ("openai", "gpt-5", Tokens(input=1000, cache_write=1000), "0.0025"),
        # 200,000 tokens are still the usual price, one more doubles all of it.
        ("gemini", "gemini-2.5-pro", Tokens(input=200_000, output=1000), "0.26"),
        ("gemini", "gemini-2.5-pro", Tokens(input=1, cache_read=200_000, output=1000), "0.0650025"),
        ("anthropic", "claude-opus-5-5", Tokens(), "0"),
    ],
)
def test_an_answer_costs_what_the_vendor_says(provider: str, name: str, tokens: Tokens, dollars: str) -> None:
    assert _cost(provider, name, tokens) == Decimal(dollars)


def test_what_has_no_price_has_no_cost() -> None:
    assert cost(Prices(), Tokens(input=1)) is None
    assert cost(Prices(usual=Rates(input=Decimal(1))), Tokens(input=1, output=1)) is None
    assert cost(Prices(usual=Rates(input=Decimal(1))), Tokens(input=1)) == Decimal("0.000001")


def test_a_cache_for_an_hour_without_a_price_costs_what_the_usual_one_costs() -> None:
    rates = Rates(input=Decimal(1), cache_write=Decimal(2))
    assert cost(Prices(usual=rates), Tokens(cache_write_1h=1_000_000)) == 2


_COUNTS = st.builds(Tokens, *(st.integers(0, 10**7) for _ in range(6)))


@given(_COUNTS, st.sampled_from(["input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"]))
def test_more_tokens_never_cost_less(tokens: Tokens, kind: str) -> None:
    more = replace(tokens, **{kind: getattr(tokens, kind) + 1})
    before, after = (_cost("vertex_ai", "claude-sonnet-4-5", each) for each in (tokens, more))
    assert before is not None
    assert after is not None
    assert before < after
