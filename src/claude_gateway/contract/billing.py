"""What a target's tokens cost: what its route says, else the table of models, else a safe price that is marked as one.

Tokens of a subscription, and of a login that the client brings, cost the gateway's owner nothing; nor do those of a
server of one's own, under names that no vendor has. ``prices`` of the target count for all of them.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from claude_gateway.contract import models
from claude_gateway.contract.openai import is_openais_own
from claude_gateway.contract.prices import Prices, Rates
from claude_gateway.contract.target import OwnPrices, Target

SAFE: Final = Rates(input=Decimal(15), output=Decimal(75))
"""Dollars per million tokens of a model that nothing is known of: as much as any model for general use costs."""

_SAFE_SEARCHES: Final = Decimal(35)
"""The price of a thousand searches, in dollars, if it is unknown: the highest one in the table."""

_OWN_SERVERS: Final = frozenset(
    {"docker_model_runner", "hosted_vllm", "infinity", "llamafile", "lm_studio", "ollama", "ollama_chat", "xinference"}
)
"""Providers that are the user's own server, which is not billed by the token."""


@dataclass(frozen=True, slots=True)
class Price:
    """The prices of one model at one target; complete. ``certain`` is False where the safe price fills a gap.

    ``listed``: the table of models knows the model, so that its name is one of a bounded number.
    """

    prices: Prices
    certain: bool = True
    listed: bool = False


_FREE: Final = Prices(usual=Rates(input=Decimal(0), output=Decimal(0)), searches=Decimal(0))


def price_of(target: Target, model: str) -> Price:
    """Return the price of a target's tokens; ``model`` is the requested name, used if the target has none."""
    name = model if target.model == "*" else target.model
    free = target.login is not None or target.forward_client_token
    elsewhere = target.provider == "openai" and target.base_url is not None and not is_openais_own(target.base_url)
    # A compatible server that takes no key cannot bill anybody.
    own_server = target.provider in _OWN_SERVERS or (elsewhere and target.secret is None)
    return _price(target.provider, name, own=target.prices, free=free, own_server=own_server, elsewhere=elsewhere)


@lru_cache(maxsize=4096)
def _price(provider: str, model: str, *, own: OwnPrices | None, free: bool, own_server: bool, elsewhere: bool) -> Price:
    known = models.find(provider, model)
    listed = known is not None
    if own is not None:
        return Price(own.prices, listed=listed)
    if free or (own_server and known is None):
        return Price(_FREE, listed=listed)
    safe = Prices(usual=_safe(provider, elsewhere=elsewhere), searches=_SAFE_SEARCHES)
    found = Prices() if known is None else known.prices
    return Price(found.completed(safe), certain=found.is_complete, listed=listed)


def _safe(provider: str, *, elsewhere: bool) -> Rates:
    """Return the price of a provider's unknown model: that of its most expensive known one, at most ``SAFE``.

    Compatible servers elsewhere sell other models under OpenAI's names. Of some resellers the table has prices that
    are wrong by orders of magnitude, and a few models of the past cost many times what all others do.
    """
    dearest = Rates() if elsewhere else models.highest(provider)
    return Rates(input=_lower(dearest.input, SAFE.input), output=_lower(dearest.output, SAFE.output))


def _lower(known: Decimal | None, safe: Decimal | None) -> Decimal | None:
    return safe if known is None or safe is None else min(known, safe)
