"""The price of a target: its own, the table's, or a safe one that is marked."""

from decimal import Decimal
from typing import Any

import pytest

from claude_gateway.contract import models
from claude_gateway.contract.billing import SAFE, price_of
from claude_gateway.contract.prices import Prices, Rates, Tokens, cost
from claude_gateway.contract.target import OwnPrices, Target


def _target(model: str = "claude-opus-4-6", provider: str = "anthropic", **more: Any) -> Target:
    return Target(id="ns/r/0.0", provider=provider, model=model, **more)


def test_a_known_model_costs_what_the_table_says() -> None:
    price = price_of(_target(), "claude-x")
    assert (price.prices.usual.input, price.prices.usual.output, price.certain, price.listed) == (5, 25, True, True)


def test_a_target_without_a_model_has_the_price_of_the_one_that_was_asked_for() -> None:
    assert price_of(_target("*"), "claude-opus-4-6").prices.usual.input == 5
    assert not price_of(_target("*"), "claude-of-tomorrow").listed


@pytest.mark.parametrize(
    ("target", "rates"),
    [
        # The dearest of Anthropic's, and of a reseller whose table has an absurd price the safe price.
        (_target("claude-of-tomorrow"), (Decimal(10), Decimal(50))),
        (_target("jais-of-tomorrow", "azure_ai"), (SAFE.input, SAFE.output)),
        (_target("gpt-of-tomorrow", "openai"), (SAFE.input, SAFE.output)),
        (_target("anything", "openai", base_url="http://10.0.0.1/v1"), (SAFE.input, SAFE.output)),
        (_target("anything", "edenai"), (SAFE.input, SAFE.output)),
    ],
)
def test_an_unknown_model_has_a_safe_price_that_is_marked(target: Target, rates: tuple[Decimal, Decimal]) -> None:
    price = price_of(target, "x")
    assert (price.prices.usual.input, price.prices.usual.output) == rates
    assert not price.certain


def test_no_known_model_of_the_vendors_costs_more_than_an_unknown_one() -> None:
    for provider in ("anthropic", "deepseek", "gemini", "moonshot", "xai"):
        dearest = models.highest(provider)
        safe = price_of(_target("of-tomorrow", provider), "x").prices.usual
        assert (safe.input, safe.output) == (dearest.input, dearest.output)


def test_what_a_known_model_has_no_price_for_costs_the_safe_price() -> None:
    assert models.find("codestral", "codestral-2405") is not None
    price = price_of(_target("codestral-2405", "codestral"), "x")
    assert cost(price.prices, Tokens(input=1, output=1, searches=1)) is not None


@pytest.mark.parametrize(
    "target",
    [
        _target(provider="claude-code", login="login.1"),
        _target(forward_client_token=True),
        _target("llama-of-ours", "hosted_vllm", base_url="http://vllm/v1"),
        _target("llama-of-ours", "ollama"),
    ],
)
def test_what_nobody_bills_by_the_token_costs_nothing(target: Target) -> None:
    price = price_of(target, "x")
    assert cost(price.prices, Tokens(input=10, output=10, cache_read=10, searches=3)) == 0
    assert price.certain


@pytest.mark.parametrize("more", [{}, {"login": "login.1"}, {"forward_client_token": True}])
def test_the_routes_own_prices_come_first(more: dict[str, Any]) -> None:
    own = OwnPrices(input=Decimal("1.5"), output=Decimal(6), cache_read=Decimal("0.1"))
    price = price_of(_target(prices=own, **more), "x")
    assert price.prices == Prices(
        usual=Rates(input=Decimal("1.5"), output=Decimal(6), cache_read=Decimal("0.1")), searches=Decimal(0)
    )
    assert price.certain
