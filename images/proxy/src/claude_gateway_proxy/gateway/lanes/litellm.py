"""The LiteLLM lane: the worker on this pod's Unix socket translates for upstreams that lack the caller's format."""

import re
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import Target, Wire
from claude_gateway.names import HEADER_DETAIL, HEADER_MODEL, HEADER_OBSTACLE, HEADER_TARGET
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import bad_request, unknown_path
from claude_gateway_proxy.gateway.lanes.body import body_of
from claude_gateway_proxy.gateway.lanes.lane import Sending
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.upstream.session import JsonPayload, Upstreams
from claude_gateway_proxy.gateway.upstream.worker import Worker
from claude_gateway_proxy.masking import NOTHING, Mask
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.unreachable import Obstacle, Unreachable

_URLS: Final = {each.format: URL(f"http://litellm/v1{each.path}") for each in OPERATIONS.values()}

_IDENTITY: Final = re.compile(r'"(?:accessKeyId|secretAccessKey|sessionToken|bearerToken)": ?"([^"]+)"')
"""The fields of an identity that are sent or signed with, in the control plane's JSON."""


class LiteLLMLane:
    """Sends requests to the LiteLLM worker. The models behind it do not judge tool calls."""

    name: Final = LaneName.LITELLM
    supports_safeguards: Final = False

    def __init__(self, worker: Worker) -> None:
        """Send through ``worker``, and close it at the end."""
        self._worker = worker

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:  # noqa: ARG002 - has its own
        """Prepare the request to the worker. Raises Failure (400, 404).

        No model name may have more than ASCII, which is all that a header takes, and LiteLLM compacts nothing.
        """
        model = call.asked if target.model == "*" else target.model
        if not model.isascii():
            raise bad_request("model: this route takes names in ASCII only")
        if call.compacts:
            raise unknown_path(call.path)
        body = body_of(call, target)
        headers = CIMultiDict({HEADER_TARGET: target.id, HEADER_MODEL: model, "content-type": "application/json"})
        headers["x-request-id"] = call.record.request_id
        headers["accept"] = "text/event-stream" if call.body.stream else "application/json"
        # The worker answers in the caller's format, without the frames of any cloud.
        response = self._send(_URLS[call.format], headers=headers, body=body)
        return Sending(response, wire=Wire.ANTHROPIC, mask=_mask(call, target))

    async def close(self) -> None:
        """Close every connection to the worker."""
        await self._worker.close()

    async def _send(self, url: URL, *, headers: CIMultiDict[str], body: bytes) -> aiohttp.ClientResponse:
        """Send the request. Raises Unreachable where the worker has no answer of the upstream, or is not there."""

        async def post(session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
            return await session.post(url, headers=headers, data=JsonPayload(body), allow_redirects=False)

        response = await self._worker.send(post)
        obstacle = response.headers.get(HEADER_OBSTACLE)
        if obstacle is not None:
            response.close()
            raise Unreachable(Obstacle(obstacle), response.headers.get(HEADER_DETAIL, ""))
        return response


def _mask(call: Call, target: Target) -> Mask:
    """What the worker sends as the target's key, or as its identity in a cloud."""
    if target.secret is None:
        return NOTHING
    text = call.snapshot.secrets[target.secret]
    return Mask((text,) if target.aws is None and target.google is None else _IDENTITY.findall(text))
