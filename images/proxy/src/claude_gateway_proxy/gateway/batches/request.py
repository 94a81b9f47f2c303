"""The upstream request about a batch: its target, its id and its headers."""

from dataclasses import dataclass, replace

from yarl import URL

from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.batches.asking import Asking
from claude_gateway_proxy.gateway.batches.place import takers
from claude_gateway_proxy.gateway.batches.seal import Sealed
from claude_gateway_proxy.gateway.body.document import Body, checked_model
from claude_gateway_proxy.gateway.call import Batch, Call
from claude_gateway_proxy.gateway.errors import Failure, login_needed, route_suspended, unknown_batch
from claude_gateway_proxy.gateway.lanes.endpoint import endpoint
from claude_gateway_proxy.gateway.lanes.lane import Sending
from claude_gateway_proxy.gateway.lanes.relay.request import headers_for
from claude_gateway_proxy.gateway.routing.choice import find_route
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.wire import betas


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a target; ``below`` follows the path of its batches, and ``context`` is the longest in tokens."""

    call: Call
    target: Target
    method: str
    below: str = ""
    body: bytes = b""
    context: int = 0

    def open(self, upstreams: Upstreams) -> Sending:
        """Prepare the request; nothing is sent yet."""
        call, target = self.call, self.target
        to = endpoint(target, format=Format.MESSAGES, secrets=call.snapshot.secrets)
        to = replace(to, url=URL(f"{to.url}/batches{self.below}", encoded=True))
        headers = call.headers
        if not target.verbatim:
            headers = betas.with_context(headers, None, context=self.context)
        sent = headers_for(headers, call=call, target=target, to=to)
        response = upstreams.send(to.address(call.query), headers=sent, body=self.body, method=self.method)
        return Sending(response, wire=Wire.ANTHROPIC, mask=to.mask)


def key_of(call: Call, target: Target) -> str | None:
    """Return the API key that ids of batches at a target are sealed with; None for the client's own login."""
    return None if target.secret is None else call.snapshot.secrets[target.secret]


def found(asking: Asking, named: Sealed) -> tuple[Call, Target]:
    """Return the place of a batch for its creator. Raises Failure (404) for anybody else, whether it exists or not."""
    routing, principal = asking.snapshot.routing, asking.principal
    try:
        route = find_route(routing, model=checked_model(named.model), client=principal.client)
    except Failure:
        raise unknown_batch() from None
    if route.suspended:
        raise route_suspended(route.name)
    body = Body(raw=b"{}", members={}, close=1, model=named.model, stream=False)
    call = asking.call(body, route, Batch())
    for target in takers((*route.targets, *(target for rule in route.rules for target in rule.targets))):
        key = key_of(call, target)
        if key is not None and named.fits(key, principal):
            return call, target
        if key is None and named.is_own:
            if not call.login:
                raise login_needed(route.name)
            return call, target
    raise unknown_batch()
