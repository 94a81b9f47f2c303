"""The cost of an answer, against sums that were done by hand from the vendors' pages."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract import models
from claude_gateway.contract.prices import Prices, Rates, Tokens, cost, saved_by_cache


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


@pytest.mark.parametrize(
    ("provider", "name", "tokens", "dollars"),
    [
        # Half of 1,000 x $5 and 1,000 x $25; a cache for an hour at half of $10
        ("anthropic", "claude-opus-4-6", Tokens(input=1000, output=1000, modes=("batch",)), "0.015"),
        ("anthropic", "claude-opus-4-6", Tokens(cache_write_1h=1000, modes=("batch",)), "0.005"),
        # In the US a tenth more, on top of the batch
        ("anthropic", "claude-opus-4-6", Tokens(output=1000, modes=("batch", "us")), "0.01375"),
        ("openai", "gpt-5", Tokens(input=1000, output=1000, modes=("priority",)), "0.0225"),
        ("openai", "gpt-5", Tokens(input=1000, modes=("flex",)), "0.000625"),
        ("openai", "gpt-5", Tokens(input=1000, modes=("default",)), "0.00125"),
        # $10 for a thousand searches, whatever the mode
        ("anthropic", "claude-opus-4-6", Tokens(searches=3), "0.03"),
        ("anthropic", "claude-opus-4-6", Tokens(input=1000, searches=1, modes=("batch",)), "0.0125"),
    ],
)
def test_modes_and_searches_have_prices_of_their_own(provider: str, name: str, tokens: Tokens, dollars: str) -> None:
    assert _cost(provider, name, tokens) == Decimal(dollars)


def test_a_search_without_a_price_has_no_cost() -> None:
    assert cost(Prices(usual=Rates(input=Decimal(1))), Tokens(searches=1)) is None


def test_a_cache_saves_what_input_would_have_cost() -> None:
    found = models.find("anthropic", "claude-opus-4-6")
    assert found is not None
    tokens = Tokens(input=10, cache_read=1_000_000, cache_write=1_000_000, cache_write_1h=1_000_000)
    assert saved_by_cache(found.prices, tokens) == (Decimal("4.5"), Decimal("6.25"))
    assert saved_by_cache(Prices(), tokens) == (0, 0)
    dear = Prices(usual=Rates(input=Decimal(1), cache_read=Decimal(2), cache_write=Decimal("0.5")))
    assert saved_by_cache(dear, Tokens(cache_read=1, cache_write=1)) == (0, 0)


def test_gaps_are_filled_with_other_prices_and_nothing_else_is() -> None:
    other = Prices(usual=Rates(Decimal(7), Decimal(8), Decimal(9)), searches=Decimal(3))
    longer = ((10, Rates(output=Decimal(2))),)
    filled = Prices(usual=Rates(input=Decimal(1)), longer=longer).completed(other)
    assert filled == Prices(
        usual=Rates(Decimal(1), Decimal(8)), longer=((10, Rates(Decimal(7), Decimal(2))),), searches=Decimal(3)
    )
    assert (filled.is_complete, Prices().is_complete) == (True, False)
    assert Prices(searches=Decimal(1)).completed(other).searches == 1
    assert Rates().highest == 0


_COUNTS = st.builds(Tokens, *(st.integers(0, 10**7) for _ in range(6)))


@given(_COUNTS, st.sampled_from(["input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"]))
def test_more_tokens_never_cost_less(tokens: Tokens, kind: str) -> None:
    more = replace(tokens, **{kind: getattr(tokens, kind) + 1})
    before, after = (_cost("vertex_ai", "claude-sonnet-4-5", each) for each in (tokens, more))
    assert before is not None
    assert after is not None
    assert before < after
