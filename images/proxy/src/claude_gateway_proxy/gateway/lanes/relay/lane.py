"""The relay lane: sends a request on to the target's own endpoint, under the credential that the route names."""

from typing import TYPE_CHECKING, Final

from claude_gateway.contract.policy import Format, Target
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.identities.clouds import Identities, shown
from claude_gateway_proxy.gateway.lanes.lane import Sending
from claude_gateway_proxy.gateway.lanes.relay.endpoint import Endpoint, endpoint
from claude_gateway_proxy.gateway.lanes.relay.request import Request, request
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask

if TYPE_CHECKING:
    from claude_gateway_proxy.gateway.snapshot import Snapshot


class RelayLane:
    """Sends requests to upstreams that speak the caller's format; Claude's own APIs judge tool calls themselves."""

    name: Final = LaneName.RELAY
    supports_safeguards: Final = True

    def __init__(self) -> None:
        """Begin without endpoints; identities are fetched when a target first needs one. Needs an event loop."""
        self._identities = Identities()
        self._endpoints: dict[tuple[str, Format], Endpoint] = {}
        self._snapshot: Snapshot | None = None

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        """Prepare the request to the target's endpoint."""
        to = self._endpoint(call, target)
        prepared = request(call, target, to)
        mask = to.mask
        if to.cloud:
            mask = Mask()
            response = self._send_identified(prepared, mask=mask, call=call, target=target, upstreams=upstreams)
        else:
            response = upstreams.send(prepared.url, headers=prepared.headers, body=prepared.body)
        return Sending(response, wire=to.wire, mask=mask)

    async def close(self) -> None:
        """Start no new fetch of an identity."""
        self._identities.close()

    async def _send_identified(
        self, prepared: Request, *, mask: Mask, call: Call, target: Target, upstreams: Upstreams
    ) -> HttpAnswer:
        """Send a request to a cloud under the gateway's identity there. Raises IdentityError without one."""
        identity = await self._identities.headers(target, url=prepared.url, body=prepared.body, snapshot=call.snapshot)
        mask.add(shown(identity))
        prepared.headers.update(identity)
        return await upstreams.send(prepared.url, headers=prepared.headers, body=prepared.body)

    def _endpoint(self, call: Call, target: Target) -> Endpoint:
        """The target's endpoint for the call's format, cached for the snapshot that was used last."""
        if call.snapshot is not self._snapshot:
            self._endpoints, self._snapshot = {}, call.snapshot
            self._identities.keep(call.snapshot.secrets)
        key = (target.id, call.format)
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = endpoint(target, format=call.format, secrets=call.snapshot.secrets)
        return found
