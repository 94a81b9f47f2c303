"""The targets' own endpoints, and requests to them under the target's key or under an identity of the gateway."""

from typing import TYPE_CHECKING, Final

import msgspec
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.identities import anthropic
from claude_gateway_proxy.gateway.identities.clouds import Identities, shown
from claude_gateway_proxy.gateway.lanes.attribution import attribution, role_session
from claude_gateway_proxy.gateway.lanes.endpoint import Endpoint, endpoint
from claude_gateway_proxy.gateway.telemetry.credentials import rejects
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask

if TYPE_CHECKING:
    from claude_gateway_proxy.gateway.snapshot import Snapshot

_BETAS: Final = "anthropic-beta"
_REJECTED: Final = frozenset({401, 403})


class Request(msgspec.Struct, frozen=True):
    """A POST to an upstream, complete except for the headers of an identity."""

    url: URL
    headers: CIMultiDict[str]
    body: bytes


class Dispatch:
    """Caches the endpoints of the snapshot that was used last, and has the gateway's identities."""

    def __init__(self, identities: Identities) -> None:
        """Start without endpoints; ``identities`` are fetched when a target first needs one."""
        self._identities = identities
        self._endpoints: dict[tuple[str, Format], Endpoint] = {}
        self._snapshot: Snapshot | None = None

    def endpoint(self, call: Call, target: Target, format: Format) -> Endpoint:
        """Return the target's endpoint for requests in ``format``. Raises ValueError if it has none."""
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
    ) -> HttpAnswer:
        """Send a request under the gateway's identity at Anthropic or in a cloud; the keys are added to ``mask``.

        Raises IdentityError without an identity, and what ``Upstreams.send`` raises.
        """
        if target.federation is not None:
            return await self._send_federated(request, mask=mask, call=call, target=target, upstreams=upstreams)
        session = role_session(target, call.principal)
        identity = await self._identities.headers(
            target, url=request.url, body=request.body, snapshot=call.snapshot, session=session
        )
        mask.add(shown(identity))
        request.headers.update(attribution(target, call.principal))
        request.headers.update(identity)
        response = await upstreams.send(request.url, headers=request.headers, body=request.body)
        if not (response.status in _REJECTED and rejects(response.status, response.headers, b"")):
            return response
        try:
            newer = await self._identities.replaced(
                target, identity, url=request.url, body=request.body, snapshot=call.snapshot, session=session
            )
        except BaseException:
            response.close()
            raise
        if newer is None:
            return response
        response.close()
        mask.add(shown(newer))
        request.headers.update(newer)
        return await upstreams.send(request.url, headers=request.headers, body=request.body)

    async def _send_federated(
        self, request: Request, *, mask: Mask, call: Call, target: Target, upstreams: Upstreams
    ) -> HttpAnswer:
        headers = request.headers
        headers[_BETAS] = anthropic.with_beta(headers.getall(_BETAS, ()))

        async def post(token: str) -> HttpAnswer:
            headers["authorization"] = f"Bearer {token}"
            return await upstreams.send(request.url, headers=headers, body=request.body)

        return await self._identities.authorized(target, snapshot=call.snapshot, mask=mask, post=post)

    def close(self) -> None:
        """Start no new fetch of an identity."""
        self._identities.close()
