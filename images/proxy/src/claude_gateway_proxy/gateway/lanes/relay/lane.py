"""The relay lane: forwards a request to the target's own endpoint, under the credential that the route names."""

from collections.abc import Awaitable
from typing import Final

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Target
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.dispatch import Dispatch, Request
from claude_gateway_proxy.gateway.lanes.lane import Response, Sending
from claude_gateway_proxy.gateway.lanes.relay.counts import Counts
from claude_gateway_proxy.gateway.lanes.relay.embeddings import in_base64, wants_base64
from claude_gateway_proxy.gateway.lanes.relay.request import request
from claude_gateway_proxy.gateway.lanes.relay.signatures import signed
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.wire.reframe import Changes
from claude_gateway_proxy.masking import Mask


class RelayLane:
    """Sends requests to upstreams of the caller's format; Claude's own APIs judge tool calls themselves."""

    name: Final = LaneName.RELAY
    supports_safeguards: Final = True

    def __init__(self, dispatch: Dispatch) -> None:
        """Send through ``dispatch``, and close it at the end."""
        self._dispatch = dispatch
        self._counts = Counts()

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        """Prepare the request to the target's endpoint."""
        to = self._dispatch.endpoint(call, target, call.format)
        counts = self._counts.changes(call, target, wire=to.wire)
        prepared = request(call, target, to, further=counts)
        mask = Mask() if to.identified else to.mask

        def send(prepared: Request) -> Awaitable[HttpAnswer]:
            if to.identified:
                return self._dispatch.send_identified(
                    prepared, mask=mask, call=call, target=target, upstreams=upstreams
                )
            return upstreams.send(prepared.url, headers=prepared.headers, body=prepared.body)

        def again(further: Changes) -> Awaitable[HttpAnswer]:
            return send(request(call, target, to, further=further))

        response: Awaitable[Response] = send(prepared)
        if to.wire in CLAUDE_WIRES:
            response = signed(response, call=call, again=again)
        if counts:
            response = self._counts.answered(response, call=call, target=target, again=lambda: again({}))
        if call.format is Format.EMBEDDINGS and wants_base64(call.body):
            response = in_base64(response)
        return Sending(response, wire=to.wire, mask=mask, hides_counts=bool(counts))

    async def close(self) -> None:
        """Start no new fetch of an identity."""
        self._dispatch.close()
