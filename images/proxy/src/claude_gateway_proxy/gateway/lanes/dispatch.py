"""The targets' own endpoints, and requests to them under the target's key or under an identity in a cloud."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import Format, Target
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.identities.clouds import Identities, shown
from claude_gateway_proxy.gateway.lanes.endpoint import Endpoint, endpoint
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask

if TYPE_CHECKING:
    from claude_gateway_proxy.gateway.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to an upstream, complete except for the headers of a cloud identity."""

    url: URL
    headers: CIMultiDict[str]
    body: bytes


class Dispatch:
    """Knows the endpoints of the snapshot that was used last, and the gateway's identities in clouds."""

    def __init__(self) -> None:
        """Begin without endpoints; identities are fetched when a target first needs one. Needs an event loop."""
        self._identities = Identities()
        self._endpoints: dict[tuple[str, Format], Endpoint] = {}
        self._snapshot: Snapshot | None = None

    def endpoint(self, call: Call, target: Target, format: Format) -> Endpoint:
        """Return the target's endpoint for requests in ``format``. Raises ValueError where it has none."""
        if call.snapshot is not self._snapshot:
            self._endpoints, self._snapshot = {}, call.snapshot
            self._identities.keep(call.snapshot.secrets)
        key = (target.id, format)
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = endpoint(target, format=format, secrets=call.snapshot.secrets)
        return found

    async def send_identified(
        self, request: Request, *, mask: Mask, call: Call, target: Target, upstreams: Upstreams
    ) -> aiohttp.ClientResponse:
        """Send a request to a cloud under the gateway's identity there, which ``mask`` then knows.

        Raises IdentityError without an identity, and what ``Upstreams.send`` raises.
        """
        identity = await self._identities.headers(target, url=request.url, body=request.body, snapshot=call.snapshot)
        mask.add(shown(identity))
        request.headers.update(identity)
        return await upstreams.send(request.url, headers=request.headers, body=request.body)

    def close(self) -> None:
        """Start no new fetch of an identity."""
        self._identities.close()
