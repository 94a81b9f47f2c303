"""Which requests are copied: a fixed share of the conversations, and no work that an upstream would do twice."""

from hashlib import blake2b
from typing import Final

from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.operations import OPERATIONS

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of the largest body that is copied."""

_RUN_UPSTREAM: Final = ("mcp_servers", "container", "background", "previous_response_id", "conversation")
"""Fields that make an upstream run or continue something itself, or that contain a login for another server."""


def sampled(call: Call, percent: float) -> bool:
    """Return whether a request is in the share that is copied.

    Either all requests of a session are in it or none, on every pod, so that conversations stay complete. For a request
    without a session, its body decides.
    """
    session = call.facts.agent.session.encode("latin-1") or call.raw
    digest = blake2b(session, digest_size=8, key=call.route.name.encode()[:64]).digest()
    return int.from_bytes(digest) < percent / 100 * 2**64


def can_be_copied(call: Call) -> bool:
    """Return whether a second answer to a request has no other effect than its cost.

    Tools of the client are safe, because those that a candidate calls are not run. Tools of an upstream are not safe.
    """
    body = call.body
    return (
        OPERATIONS[call.format].generates
        and not call.compacts
        and len(body.raw) <= BODY_LIMIT
        and not any(field in body.members for field in _RUN_UPSTREAM)
        and not call.facts.server_tools
    )
