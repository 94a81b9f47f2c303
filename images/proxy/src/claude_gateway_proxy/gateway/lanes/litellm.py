"""The LiteLLM lane: this pod's worker translates for upstreams that do not support the caller's format."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import (
    HEADER_DETAIL,
    HEADER_MODEL,
    HEADER_OBSTACLE,
    HEADER_TARGET,
    HEADER_TOKEN,
    TRACE_HEADERS,
)
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import bad_request, unknown_path
from claude_gateway_proxy.gateway.identities.clouds import Identities
from claude_gateway_proxy.gateway.identities.role import Session
from claude_gateway_proxy.gateway.lanes.attribution import role_session
from claude_gateway_proxy.gateway.lanes.body import body_of
from claude_gateway_proxy.gateway.lanes.lane import Sending
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.upstream.worker import Worker
from claude_gateway_proxy.gateway.wire.headers import text_of
from claude_gateway_proxy.gateway.wire.model_ids import name_at
from claude_gateway_proxy.masking import NOTHING, Mask
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.unreachable import Obstacle, Unreachable

_URLS: Final = {each.format: URL(f"http://litellm/v1{each.path}") for each in OPERATIONS.values()}

_PASSED_ON: Final = {name.encode(): name for name in TRACE_HEADERS}
"""Headers of the caller that the worker sends on to the upstream."""

_OBSTACLE: Final = HEADER_OBSTACLE.encode()
_DETAIL: Final = HEADER_DETAIL.encode()

_IDENTITY: Final = re.compile(r'"(?:accessKeyId|secretAccessKey|sessionToken|bearerToken)": ?"([^"]+)"')
"""The fields of an identity that are sent or signed with, in the control plane's JSON."""


class LiteLLMLane:
    """Sends requests to the LiteLLM worker. The models behind it do not judge tool calls."""

    name: Final = LaneName.LITELLM
    supports_safeguards: Final = False

    def __init__(self, worker: Worker, identities: Identities) -> None:
        """Send through ``worker``, and close it at the end; it gets access tokens from ``identities``."""
        self._worker = worker
        self._identities = identities

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:  # noqa: ARG002 - has its own
        """Prepare the request to the worker. Raises Failure (400, 404).

        No model name may have more than ASCII, which is all that a header takes, and LiteLLM compacts nothing.
        """
        model = name_at(target, call.asked_of(target))
        if not model.isascii():
            raise bad_request("model: this route takes names in ASCII only")
        if call.compacts:
            raise unknown_path(call.path)
        body = body_of(call, target)
        headers = CIMultiDict({HEADER_TARGET: target.id, HEADER_MODEL: model, "content-type": "application/json"})
        headers.extend((_PASSED_ON[name], text_of(value)) for name, value in call.headers if name in _PASSED_ON)
        headers["x-request-id"] = call.record.request_id
        headers["accept"] = "text/event-stream" if call.body.stream else "application/json"
        # The worker answers in the caller's format, without the frames of any cloud.
        url, mask = _URLS[call.format], _mask(call, target)
        session = role_session(target, call.principal)
        if session is not None:
            response = self._send_in_role(
                url, headers=headers, body=body, mask=mask, call=call, target=target, session=session
            )
        elif target.federation is None:
            response = self._send(url, headers=headers, body=body)
        else:
            response = self._send_federated(url, headers=headers, body=body, mask=mask, call=call, target=target)
        return Sending(response, wire=Wire.ANTHROPIC, mask=mask)

    async def close(self) -> None:
        """Close every connection to the worker."""
        await self._worker.close()

    async def _send_federated(
        self, url: URL, *, headers: CIMultiDict[str], body: bytes, mask: Mask, call: Call, target: Target
    ) -> HttpAnswer:
        """Send the request with an access token of the gateway's for the worker to use. Raises IdentityError too."""

        async def post(token: str) -> HttpAnswer:
            headers[HEADER_TOKEN] = token
            return await self._send(url, headers=headers, body=body)

        return await self._identities.authorized(target, snapshot=call.snapshot, mask=mask, post=post)

    async def _send_in_role(
        self,
        url: URL,
        *,
        headers: CIMultiDict[str],
        body: bytes,
        mask: Mask,
        call: Call,
        target: Target,
        session: Session,
    ) -> HttpAnswer:
        """Send the request with the keys of the target's role for the worker to sign with. Raises IdentityError too."""
        keys = (await self._identities.session_keys(target, session, snapshot=call.snapshot)).credentials
        mask.add(value for value in (keys.access_key, keys.secret_key, keys.token) if value)
        headers[HEADER_TOKEN] = json.dumps([keys.access_key, keys.secret_key, keys.token])
        return await self._send(url, headers=headers, body=body)

    async def _send(self, url: URL, *, headers: CIMultiDict[str], body: bytes) -> HttpAnswer:
        """Send the request. Raises Unreachable if the worker has no answer of the upstream, or cannot be reached."""
        response = await self._worker.send(url, headers=headers, body=body)
        obstacle = response.header(_OBSTACLE)
        if obstacle:
            response.close()
            raise Unreachable(Obstacle(obstacle), response.header(_DETAIL))
        return response


def _mask(call: Call, target: Target) -> Mask:
    """Return what the worker sends as the target's key and login, or as its identity in a cloud."""
    if target.federation is not None or (target.aws is not None and target.aws.role is not None):
        return Mask()
    return NOTHING if target.secret is None else Mask(known_secrets(call.snapshot.secrets, target))


def known_secrets(secrets: Mapping[str, str], target: Target) -> Sequence[str]:
    """Return the key and the login of a target, or its identity in a cloud."""
    if target.secret is None or (target.aws is None and target.google is None):
        return [secrets[entry] for entry in target.entries]
    found: list[str] = _IDENTITY.findall(secrets[target.secret])
    return found
