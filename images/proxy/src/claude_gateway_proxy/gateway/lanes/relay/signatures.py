"""Conversations that another vendor's model began: Claude refuses thinking that it did not sign.

Only Claude's own API can verify a signature, so its refusal decides: the request is sent again without the thinking of
the history.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway_proxy.gateway.body.foreign import without_thinking
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.lanes.relay.refusals import refusal
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.wire.reframe import Changes

_REFUSED: Final = re.compile(
    rb"invalid.{0,8}(?:signature|data|encrypted_content).{0,60}thinking|thinking\.signature.{0,4} ?field required"
    rb"|thinking.{0,80}cannot be modified|(?:signature|thinking).{0,60}could not be (?:verified|decrypted)",
    re.IGNORECASE | re.DOTALL,
)


async def signed(
    response: Awaitable[Response], *, call: Call, again: Callable[[Changes], Awaitable[HttpAnswer]]
) -> Response:
    """Return the answer to a request; if Claude refuses a signature in it, the answer to one without thinking."""
    found = await response
    if found.status != 400 or b"thinking" not in call.raw or found.header(b"content-encoding"):
        return found
    body, refused = await refusal(found)
    changes = without_thinking(call.body) if _REFUSED.search(body) else {}
    if not changes:
        return refused
    call.record.repairs.append(("signatures", "refused"))
    return await again(changes)
