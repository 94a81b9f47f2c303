"""What an answer costs at list price: a pure function of its tokens and of a model's prices."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

_MILLION: Final = Decimal(1_000_000)
_THOUSAND: Final = Decimal(1000)
_ZERO: Final = Decimal(0)


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

    @property
    def highest(self) -> Decimal:
        """The highest price of a prompt token; 0 if it is unknown."""
        return max(filter(None, (self.input, self.cache_read, self.cache_write, self.cache_write_1h)), default=_ZERO)


@dataclass(frozen=True, slots=True)
class Prices:
    """A model's prices: the usual ones, and those of each prompt with more input tokens than a number, ascending.

    ``searches`` is what a thousand searches of the vendor's own web search cost. ``factors`` say what the price of
    every token is multiplied by in a mode, such as ``batch``, ``priority`` or ``fast``.
    """

    usual: Rates = Rates()
    longer: tuple[tuple[int, Rates], ...] = ()
    searches: Decimal | None = None
    factors: tuple[tuple[str, Decimal], ...] = ()

    def rates(self, prompt: int) -> Rates:
        """Return the rates for all tokens of a request whose prompt has so many tokens, cached ones included."""
        found = self.usual
        for start, rates in self.longer:
            if prompt > start:
                found = rates
        return found

    def factor(self, modes: tuple[str, ...]) -> Decimal:
        """Return what the tokens of an answer in some modes cost, as a multiple of the usual price."""
        found = Decimal(1)
        for mode, factor in self.factors if modes else ():
            if mode in modes:
                found *= factor
        return found

    @property
    def is_complete(self) -> bool:
        """Whether the price of input and output is known, whatever an answer has."""
        return all(rates.input is not None and rates.output is not None for rates in (self.usual, *self._longer_rates))

    @property
    def _longer_rates(self) -> tuple[Rates, ...]:
        return tuple(rates for _, rates in self.longer)

    def completed(self, other: "Prices") -> "Prices":
        """Return these prices, with the ``other``'s usual rates for input, output and searches that are not known."""

        def whole(rates: Rates) -> Rates:
            return replace(
                rates,
                input=other.usual.input if rates.input is None else rates.input,
                output=other.usual.output if rates.output is None else rates.output,
            )

        return Prices(
            usual=whole(self.usual),
            longer=tuple((start, whole(rates)) for start, rates in self.longer),
            searches=other.searches if self.searches is None else self.searches,
            factors=self.factors,
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer, each counted in one field only.

    ``input`` is without what was read from or written to a cache; ``cache_write`` is kept for five minutes,
    ``cache_write_1h`` for an hour; ``output`` is without ``reasoning``. ``searches`` are the searches that the vendor
    made, and ``modes`` the modes that it answered in.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    searches: int = 0
    modes: tuple[str, ...] = ()

    @property
    def prompt(self) -> int:
        """All tokens that were sent, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


def cost(prices: Prices, tokens: Tokens) -> Decimal | None:
    """Return the cost in dollars, exactly; None if a price that it needs is not known.

    Sources: Anthropic's, OpenAI's and Google's pages of prices. A prompt is what was sent, cached or not; a longer one
    than a tier's start costs that tier's rates as a whole, its answer included.
    """
    rates = prices.rates(tokens.prompt)
    written = _or(rates.cache_write, rates.input)
    parts = (
        (tokens.input, rates.input),
        (tokens.output, rates.output),
        (tokens.cache_read, _or(rates.cache_read, rates.input)),
        (tokens.cache_write, written),
        (tokens.cache_write_1h, _or(rates.cache_write_1h, written)),
        (tokens.reasoning, _or(rates.reasoning, rates.output)),
    )
    total = _ZERO
    for count, rate in parts:
        if count:
            if rate is None:
                return None
            total += count * rate
    if tokens.modes:
        total *= prices.factor(tokens.modes)
    if not tokens.searches:
        return total / _MILLION
    return None if prices.searches is None else total / _MILLION + tokens.searches * prices.searches / _THOUSAND


def saved_by_cache(prices: Prices, tokens: Tokens) -> tuple[Decimal, Decimal]:
    """Return what reading from the prompt cache saved, and what writing to it cost on top of plain input, in dollars.

    Both are 0 where a price is not known, and never negative.
    """
    rates = prices.rates(tokens.prompt)
    if rates.input is None:
        return _ZERO, _ZERO
    written = _or(rates.cache_write, rates.input)
    saved = tokens.cache_read * _above(rates.input, _or(rates.cache_read, rates.input))
    extra = tokens.cache_write * _above(written, rates.input)
    extra += tokens.cache_write_1h * _above(_or(rates.cache_write_1h, written), rates.input)
    factor = prices.factor(tokens.modes)
    return saved * factor / _MILLION, extra * factor / _MILLION


def _above(rate: Decimal | None, other: Decimal | None) -> Decimal:
    return max(_ZERO, (rate or _ZERO) - (other or _ZERO))


def _or(own: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if own is None else own
