"""Admits requests before they are sent, and settles what they used when they end."""

from dataclasses import dataclass

from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import further_model_not_allowed
from claude_gateway_proxy.gateway.telemetry.record import Record


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request used; all 0 if nothing was sent or nothing was reported.

    The tokens are those of ``gateway.wire.usage``: input, output, cache reads and cache creation are disjoint, those of
    an hour are part of the creation, and reasoning is part of the output. ``cost`` is in nanodollars; ``certain`` is
    False where it comes from an estimate.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_creation_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    cost: int = 0
    certain: bool = True

    @classmethod
    def of(cls, record: Record) -> "Usage":
        """Return what a record has at the end of its request."""
        return cls(
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            cache_read_tokens=record.cache_read_tokens,
            cache_creation_tokens=record.cache_creation_tokens,
            cache_creation_1h_tokens=record.cache_creation_1h_tokens,
            reasoning_tokens=record.reasoning_tokens,
            web_searches=record.web_searches,
            cost=record.cost,
            certain=record.cost_certain,
        )


class Grant:
    """The permission to send one request. Whoever holds it settles it exactly once, however the request ends."""

    __slots__ = ()

    def settle(self, usage: Usage) -> None:
        """Take what the request used; nothing is limited yet, so nothing is charged."""


_FREE = Grant()
_ANY = "*"
"""The pattern of a client that may name every model."""


def _check_further_models(call: Call) -> None:
    for field, model in further_models(call.body):
        if not call.snapshot.routing.allowed(call.client, model):
            raise further_model_not_allowed(field, model)


class Admission:
    """Admits requests; made once at start."""

    async def admit(self, call: Call) -> Grant:
        """Return the permission to send a request, at once unless a limit makes it wait.

        Every further model that the request names must be on the client's list, unless the gateway itself asks
        (``call.origin``): the owner of the route chose that model. Raises Failure for a request that must not be sent;
        then there is nothing to settle.
        """
        if call.origin is None and _ANY not in call.client.models:
            _check_further_models(call)
        return _FREE
