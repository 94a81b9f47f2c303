"""One caller's request about batches, before its route and batch are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Batch, Call
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The caller and the request. The fields are those of ``Call``; ``raw`` is the body."""

    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    login: Sequence[tuple[bytes, bytes]] = field(repr=False)
    raw: bytes = field(repr=False)
    snapshot: Snapshot = field(repr=False)
    principal: Principal
    record: Record

    def call(self, body: Body, route: Route, batch: Batch | None = None) -> Call:
        """Return the call of one request of a batch, or of a request about a batch."""
        return Call(
            wire=Wire.ANTHROPIC,
            format=Format.MESSAGES,
            path=self.path,
            query=self.query,
            headers=self.headers,
            login=self.login,
            raw=body.raw,
            facts=Facts(body, self.headers),
            frames=None,
            snapshot=self.snapshot,
            principal=self.principal,
            route=route,
            record=self.record,
            batch=batch,
        )
