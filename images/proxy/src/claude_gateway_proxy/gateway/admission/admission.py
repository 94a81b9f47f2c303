"""Admits requests before they are sent, and settles what they used when they end."""

from dataclasses import dataclass

from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import further_model_not_allowed
from claude_gateway_proxy.gateway.wire.usage import Tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one request, in four disjoint counts; all 0 if nothing was sent or nothing was reported."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0

    @classmethod
    def of(cls, tokens: Tokens) -> "Usage":
        """Return the counts as they are now."""
        return cls(
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cache_read_tokens=tokens.cache_read_tokens,
            cache_creation_tokens=tokens.cache_creation_tokens,
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
