"""What an answer costs at list price: a pure function of its tokens and of a model's prices."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices in dollars per million tokens; None: not known.

    Where a cache has no price of its own, its tokens cost what input costs, and reasoning costs what output costs.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's prices: the usual ones, and those of each prompt with more input tokens than a number, ascending."""

    usual: Rates = Rates()
    longer: tuple[tuple[int, Rates], ...] = ()

    def rates(self, prompt: int) -> Rates:
        """Return the rates for all tokens of a request whose prompt has so many tokens, cached ones included."""
        found = self.usual
        for start, rates in self.longer:
            if prompt > start:
                found = rates
        return found


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer, each counted in one field only.

    ``input`` is without what was read from or written to a cache; ``cache_write`` is kept for five minutes,
    ``cache_write_1h`` for an hour; ``output`` is without ``reasoning``.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0


def cost(prices: Prices, tokens: Tokens) -> Decimal | None:
    """Return the cost in dollars, exactly; None if a price that it needs is not known.

    Sources: Anthropic's, OpenAI's and Google's pages of prices. A prompt is what was sent, cached or not; a longer one
    than a tier's start costs that tier's rates as a whole, its answer included.
    """
    prompt = tokens.input + tokens.cache_read + tokens.cache_write + tokens.cache_write_1h
    rates = prices.rates(prompt)
    written = _or(rates.cache_write, rates.input)
    parts = (
        (tokens.input, rates.input),
        (tokens.output, rates.output),
        (tokens.cache_read, _or(rates.cache_read, rates.input)),
        (tokens.cache_write, written),
        (tokens.cache_write_1h, _or(rates.cache_write_1h, written)),
        (tokens.reasoning, _or(rates.reasoning, rates.output)),
    )
    total = Decimal(0)
    for count, rate in parts:
        if count and rate is None:
            return None
        total += count * (rate or Decimal(0))
    return total / _MILLION


def _or(own: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if own is None else own
