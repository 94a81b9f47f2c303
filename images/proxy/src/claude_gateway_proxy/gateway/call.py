"""One request on its way through the gateway, with everything that is known about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from claude_gateway.contract.client import Client
from claude_gateway.contract.model_ids import plain_name, variants, without_context, without_provider
from claude_gateway.contract.patterns import matches
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.routing.names import literal
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.framed import FramedSend
from claude_gateway_proxy.gateway.wire.paths import COMPACT


@dataclass(frozen=True, slots=True)
class Batch:
    """What a request about a batch counts as: the number of ``requests``, and the most that they may use.

    ``cost`` is in nanodollars. All values are 0 except when a batch is created: other requests about it cost nothing.
    """

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0

    @property
    def generates(self) -> bool:
        """Whether models will write answers."""
        return self.output_tokens > 0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its caller and its route.

    ``wire`` is the client's wire, ``format`` the format of its request. ``headers`` have lower-case names; ``login``
    are the headers with the client's own login at the upstream. ``raw`` is the body as it was sent; ``facts.body`` is
    the same body, as Messages on every Claude wire. ``frames`` writes the frames of a Bedrock client. ``snapshot`` is
    the one that the request began with. ``origin`` is the client's request that a request of the gateway's own (a
    judge's) helps to answer; None for a client's request. ``substitute`` is the name of a model that serves in place of
    the one that the body names. ``batch`` is set where the request is about a batch.

    No field is ever replaced. Three of the values change while the request runs: ``record`` collects what happened,
    ``frames`` tracks the stream that it frames, and ``facts`` fills its cache.
    """

    wire: Wire
    format: Format
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    login: Sequence[tuple[bytes, bytes]]
    raw: bytes
    facts: Facts
    frames: FramedSend | None
    snapshot: Snapshot
    principal: Principal
    route: Route
    record: Record
    origin: "Call | None" = None
    substitute: str | None = None
    batch: Batch | None = None

    def __repr__(self) -> str:
        """Describe the call without the client's data, which may be secret."""
        return f"Call({self.format}, route={self.route.name!r})"

    @property
    def client(self) -> Client:
        """The client that the caller belongs to."""
        return self.principal.client

    @property
    def body(self) -> Body:
        """The body, as Messages on every Claude wire."""
        return self.facts.body

    @property
    def asked(self) -> str:
        """The requested model, without a context in brackets, which no upstream knows.

        An alias of the route is replaced by the name that it stands for, and a provider in front is left out where
        the route has the name only without it.
        """
        model = self.substitute or self.facts.body.model
        bare = without_context(model)
        if self.route.alias in (model, bare):
            return literal(self.route.models) or bare
        named = without_provider(bare)
        if named is None or any(matches(mine, name) for name in variants(model) for mine in self.route.models):
            return bare
        return named

    def asked_of(self, target: Target) -> str:
        """Return the client's model name for a target; a verbatim target gets it as it was sent."""
        model = self.substitute or self.facts.body.model
        return model if target.verbatim and model != self.route.alias else self.asked

    @property
    def named(self) -> str:
        """The name that the answer has for the model: the client's own, without a context in brackets.

        Clouds have their own model id in the path, and answer with Anthropic's name.
        """
        bare = without_context(self.facts.body.model)
        return plain_name(bare) if self.wire in (Wire.BEDROCK, Wire.VERTEX) else bare

    @property
    def uses_tokens(self) -> bool:
        """Whether the request's tokens cost money."""
        return self.format is not Format.COUNT_TOKENS and (self.batch is None or self.batch.generates)

    @property
    def compacts(self) -> bool:
        """Whether a Responses request asks to compact the conversation rather than to continue it."""
        return self.format is Format.RESPONSES and self.path.removesuffix("/").endswith(COMPACT)
