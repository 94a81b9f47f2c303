"""What is known of models: context window, most output, abilities and list prices, by provider and name.

The table (``models.tsv``) is generated from the model prices of the pinned LiteLLM, whose version its first line has.
It is read when the first model is looked up. A line has five fields with tabs between: ``provider/model``, the most
input tokens, the most output tokens, abilities as letters (a capital: the model lacks it), and prices in dollars per
million tokens as letters with a number (``q``: of a thousand web searches); ``*batch=0.5`` is a factor of all prices in
a mode, and ``>200000`` begins the prices of prompts with more tokens than that. What a line does not say is not known,
and of a model without a line nothing is claimed.
"""

import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from claude_gateway.contract.model_ids import DATE, plain_name, without_context
from claude_gateway.contract.openai import is_openais_own
from claude_gateway.contract.prices import Prices, Rates
from claude_gateway.contract.target import Ability

ABILITIES: Final[Mapping[str, Ability]] = {
    "v": Ability.IMAGES,
    "d": Ability.DOCUMENTS,
    "t": Ability.TOOLS,
    "r": Ability.THINKING,
}
"""The letters of the abilities."""

RATES: Final[Mapping[str, str]] = {
    "i": "input",
    "o": "output",
    "r": "cache_read",
    "w": "cache_write",
    "h": "cache_write_1h",
    "g": "reasoning",
}
"""The letters of the prices of tokens, and the fields of ``Rates``."""

SEARCHES: Final = "q"
"""The letter of the price of searches."""

FACTOR: Final = "*"
"""Begins the factor of a mode."""

LONG_CONTEXT: Final = 1_000_000
"""The window that ``[1m]`` stands for."""

_VENDORS: Final = frozenset({"anthropic", "bedrock", "claude-code", "gemini", "openai", "vertex_ai"})
"""Providers whose own documentation agrees with the table. Azure's models are called by names that users choose."""

_SAME_MODELS: Final = {"claude-code": "anthropic"}
"""Providers that serve another one's models under the same names."""

_NAME_LIMIT: Final = 300
_DASHED_DATE: Final = re.compile(r"-20\d\d-\d\d-\d\d$")
_TUNED: Final = re.compile(r"(ft:[^:]+):.*")


@dataclass(frozen=True, slots=True)
class Model:
    """One model. ``window`` and ``output`` are in tokens, None where unknown; so is an ability in neither set."""

    window: int | None
    output: int | None
    has: frozenset[Ability]
    lacks: frozenset[Ability]
    prices: Prices

    @property
    def long_window(self) -> int | None:
        """The window for clients that request a longer one (``[1m]``), if the table has a price for it."""
        if self.window is None or not any(start >= self.window for start, _ in self.prices.longer):
            return None
        return max(self.window, LONG_CONTEXT)


@cache
def source() -> str:
    """Return what the table was made from, such as ``LiteLLM 1.106.2``."""
    return _text().partition("\n")[0].partition(" of ")[2].partition(";")[0]


@lru_cache(maxsize=4096)
def find(provider: str, model: str) -> Model | None:
    """Return what is known of a provider's model; None if nothing is.

    Ids of clouds, with a context in brackets, with a date or of a tuned model are those of the model that they name.
    """
    if len(model) > _NAME_LIMIT:
        return None
    owner = _SAME_MODELS.get(provider, provider)
    names = dict.fromkeys(_names(owner, without_context(model)))
    lines = (_table().get(f"{owner}/{name}") for name in names)
    return next((_parsed(line) for line in lines if line is not None), None)


def _names(provider: str, model: str) -> Iterator[str]:
    """Yield the names under which a model may be listed, the most exact first."""
    yield model
    model = model.removeprefix("converse/")
    plain = plain_name(model)
    undated = DATE.sub("", plain).removesuffix("-latest")
    if plain != model and provider == "bedrock":
        yield from (f"anthropic.{plain}-v1:0", f"anthropic.{plain}", f"anthropic.{undated}")
    elif plain != model and provider == "vertex_ai":
        yield DATE.sub(r"@\1", plain)
    yield from (model, undated, _DASHED_DATE.sub("", model), _TUNED.sub(r"\1", model))


def is_exact(provider: str, base_url: str | None) -> bool:
    """Return whether the table's limits are those of a provider's models, rather than a likely guess.

    Of resellers the table often has less than the model can. Servers at other addresses than OpenAI's own often serve
    other models under OpenAI's names.
    """
    own = provider != "openai" or base_url is None or is_openais_own(base_url)
    return provider in _VENDORS and own


def unlisted(model: Model, *, relays_claude: bool) -> frozenset[Ability]:
    """Return the abilities that a model most likely does not have.

    Pictures and documents it has only where the table says so, as LiteLLM itself reads it. Of tools the table often
    says nothing. Thinking matters where a request is relayed to a Claude (``relays_claude``), which rejects it;
    translations leave it out.
    """
    seen = frozenset({Ability.IMAGES, Ability.DOCUMENTS}) - model.has
    thinking = frozenset({Ability.THINKING}) - model.has if relays_claude else frozenset[Ability]()
    return seen | (model.lacks & {Ability.TOOLS}) | thinking


@cache
def highest(provider: str) -> Rates:
    """Return the highest price of input and of output among a provider's models; None if none has a price."""
    owner = _SAME_MODELS.get(provider, provider)
    found = [_parsed(line).prices.usual for name, line in _table().items() if name.startswith(f"{owner}/")]
    return Rates(
        input=max((rates.input for rates in found if rates.input), default=None),
        output=max((rates.output for rates in found if rates.output), default=None),
    )


@cache
def _table() -> dict[str, str]:
    """The rest of each line by its name. Texts, not values: the garbage collector does not walk a dict of texts."""
    rows = (row.partition("\t") for row in _text().splitlines() if not row.startswith("#"))
    return {name: line for name, _, line in rows}


def _text() -> str:
    return (pkgutil.get_data(__package__, "models.tsv") or b"").decode()


def _parsed(line: str) -> Model:
    window, output, letters, prices = line.split("\t")
    return Model(
        window=int(window) if window else None,
        output=int(output) if output else None,
        has=frozenset(ABILITIES[letter] for letter in letters if letter.islower()),
        lacks=frozenset(ABILITIES[letter.lower()] for letter in letters if letter.isupper()),
        prices=_prices(prices),
    )


def _prices(text: str) -> Prices:
    """Read prices; those of longer prompts are complete, with the usual rate where a tier has none of its own."""
    usual, *tiers = text.split(">")
    words = usual.split()
    rates = _rates(words, {})
    longer: list[tuple[int, Rates]] = []
    for tier in tiers:
        start, *own = tier.split()
        rates = _rates(own, rates)
        longer.append((int(start), Rates(**rates)))
    factors = (word[1:].split("=") for word in words if word[0] == FACTOR)
    return Prices(
        usual=Rates(**_rates(words, {})),
        longer=tuple(longer),
        searches=next((Decimal(word[1:]) for word in words if word[0] == SEARCHES), None),
        factors=tuple((mode, Decimal(factor)) for mode, factor in factors),
    )


def _rates(words: Iterable[str], before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {**before, **{RATES[word[0]]: Decimal(word[1:]) for word in words if word[0] in RATES}}
