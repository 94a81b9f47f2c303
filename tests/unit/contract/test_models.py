"""What the table of models says, under every name that a model has."""

import re
from decimal import Decimal
from importlib.metadata import version

import pytest

from claude_gateway.contract import models
from claude_gateway.contract.prices import Rates
from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import Ability

_ALL = frozenset(Ability)


def _limits(provider: str, name: str) -> tuple[int | None, int | None]:
    found = models.find(provider, name)
    assert found is not None, name
    return found.window, found.output


def test_it_is_dated_with_the_version_that_it_was_made_from() -> None:
    assert models.source() == f"LiteLLM {version('litellm')}"


def test_a_model_with_all_that_is_known_of_it() -> None:
    found = models.find("anthropic", "claude-sonnet-5-5")
    assert found is not None
    assert (found.window, found.output, found.long_window) == (1_000_000, 128_000, None)
    assert (found.has, found.lacks) == (_ALL, frozenset())
    assert found.prices.usual == Rates(
        input=Decimal(2),
        output=Decimal(10),
        cache_read=Decimal("0.1"),
        cache_write=Decimal("2.5"),
        cache_write_1h=Decimal(4),
    )
    assert found.prices.longer == ()


@pytest.mark.parametrize(
    ("provider", "name", "limits"),
    [
        ("anthropic", "claude-haiku-4-5", (200_000, 64_000)),
        ("anthropic", "claude-haiku-4-5-20251001", (200_000, 64_000)),
        ("anthropic", "claude-opus-5-5[1m]", (1_000_000, 128_000)),
        ("anthropic", "claude-opus-5-5-20261231", (1_000_000, 128_000)),
        ("claude-code", "claude-opus-5-5", (1_000_000, 128_000)),
        ("bedrock", "us.anthropic.claude-opus-4-5-20251101-v1:0", (200_000, 64_000)),
        ("bedrock", "xx.anthropic.claude-sonnet-4-5-20250929-v1:0", (200_000, 64_000)),
        ("bedrock", "xx.anthropic.claude-opus-5-5-20260101-v1:0", (1_000_000, 128_000)),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-6",
            (1_000_000, 64_000),
        ),
        ("vertex_ai", "claude-sonnet-4-5@20250929", (200_000, 64_000)),
        ("vertex_ai", "claude-opus-5-5@latest", (1_000_000, 128_000)),
        ("vertex_ai", "claude-opus-5-5@20260101", (1_000_000, 128_000)),
        ("vertex_ai", "gemini-2.5-pro", (1_048_576, 65_535)),
        ("openai", "gpt-5", (272_000, 128_000)),
        ("openai", "gpt-5.4-2027-01-01", (1_050_000, 128_000)),
        ("openai", "ft:gpt-4o-2024-08-06:acme::Abc123", (128_000, 16_384)),
        ("mistral", "mistral-large-4", (1_048_576, None)),
    ],
)
def test_a_model_is_found_under_each_of_its_names(
    provider: str, name: str, limits: tuple[int | None, int | None]
) -> None:
    assert _limits(provider, name) == limits


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "scripted-claude"),
        ("anthropic", "claude"),
        ("anthropic", ""),
        ("anthropic", "*"),
        ("anthropic", "x" * 100_000),
        ("hosted_vllm", "gpt-5"),
        ("ollama", "llama3"),
        ("openai", "claude-opus-5-5"),
        ("no", "gpt-5"),
        ("bedrock", "us.anthropic.claude-unheard-of-v1:0"),
        ("vertex_ai", "claude-unheard-of@20260101"),
    ],
)
def test_of_an_unknown_model_nothing_is_claimed(provider: str, name: str) -> None:
    assert models.find(provider, name) is None


def test_a_longer_context_is_there_where_it_has_a_price() -> None:
    windows = {
        (provider, name): found.long_window
        for provider, name in (
            ("vertex_ai", "claude-sonnet-4-5"),
            ("anthropic", "claude-sonnet-4-5"),
            ("gemini", "gemini-2.5-pro"),
            ("aihubmix", "coding-xiaomi-mimo-v2-omni"),
        )
        if (found := models.find(provider, name)) is not None
    }
    assert list(windows.values()) == [1_000_000, None, None, None]


def test_longer_prompts_have_their_own_prices_and_the_usual_ones_otherwise() -> None:
    found = models.find("vertex_ai", "claude-sonnet-4-5")
    assert found is not None
    ((start, longer),) = found.prices.longer
    assert start == 200_000
    assert (longer.input, longer.output, longer.cache_write_1h) == (Decimal(6), Decimal("22.5"), Decimal(12))
    found = models.find("dashscope", "qwen-flash")
    assert found is not None
    assert (found.prices.rates(256_000).input, found.prices.rates(256_001).input) == (Decimal("0.05"), Decimal("0.25"))


@pytest.mark.parametrize(
    ("provider", "name", "relays_claude", "unlisted"),
    [
        ("anthropic", "claude-opus-5-5", True, set()),
        ("deepseek", "deepseek-v4-pro", False, {Ability.IMAGES, Ability.DOCUMENTS}),
        ("deepseek", "deepseek-reasoner", False, {Ability.IMAGES, Ability.DOCUMENTS, Ability.TOOLS}),
        ("openai", "o3-mini", False, {Ability.IMAGES, Ability.DOCUMENTS}),
        ("vertex_ai", "claude-3-haiku", True, {Ability.DOCUMENTS, Ability.THINKING}),
        ("vertex_ai", "claude-3-haiku", False, {Ability.DOCUMENTS}),
    ],
)
def test_what_a_model_most_likely_lacks(provider: str, name: str, relays_claude: bool, unlisted: set[Ability]) -> None:
    found = models.find(provider, name)
    assert found is not None
    assert models.unlisted(found, relays_claude=relays_claude) == unlisted


@pytest.mark.parametrize(
    ("provider", "base_url", "exact"),
    [
        ("anthropic", "https://llm.example.com", True),
        ("bedrock", None, True),
        ("openai", "https://api.openai.com/v1", True),
        ("openai", None, True),
        ("openai", "http://vllm.models.svc:8000/v1", False),
        ("azure", "https://x.openai.azure.com", False),
        ("minimax", None, False),
    ],
)
def test_only_vendors_limits_are_exact(provider: str, base_url: str | None, exact: bool) -> None:
    assert models.is_exact(provider, base_url) is exact


def test_every_line_can_be_read() -> None:
    table = models._table()
    assert len(table) > 2000
    for key, line in table.items():
        provider, _, name = key.partition("/")
        assert provider in PROVIDERS
        found = models.find(provider, name)
        assert found is not None
        for rates in (found.prices.usual, *(rates for _, rates in found.prices.longer)):
            assert all(rate is None or rate >= 0 for rate in (rates.input, rates.output, rates.cache_read))
        assert re.fullmatch(r"\d*\t\d*\t[vdtrVDTR]*\t[^\t]*", line)
