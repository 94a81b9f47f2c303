"""One request on its way through the exchange, with all that was found out about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_gateway.contract.policy import Client, Format, Route, Wire
from claude_gateway_proxy.gateway.body.facts import Body
from claude_gateway_proxy.gateway.routing.names import literal
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.framed import FramedSend


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be answered.

    ``wire`` is how the client speaks, ``format`` what it asks for. ``headers`` have lower-case names; ``login`` are
    those of them with the client's own login at the upstream. ``body`` is seen as Messages on every Claude wire,
    ``raw`` is it as it was sent. ``frames`` puts answers into the frames of a Bedrock client. ``snapshot`` is the one
    that the request began with.
    """

    wire: Wire
    format: Format
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    login: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: Body = field(repr=False)
    snapshot: Snapshot = field(repr=False)
    client: Client
    route: Route
    record: Record

    @property
    def asked(self) -> str:
        """The model that was asked for, by its own name also where the client took the route's alias for it."""
        model = self.body.model
        return literal(self.route.models) or model if model == self.route.alias else model

    raw: bytes = field(default=b"", repr=False)
    frames: FramedSend | None = field(default=None, repr=False)
