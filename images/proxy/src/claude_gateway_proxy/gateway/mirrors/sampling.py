"""Which requests are copied: a fixed share of the conversations, and nothing that an upstream would run twice."""

from hashlib import blake2b
from typing import Final

from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.operations import OPERATIONS

BODY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of the largest body that is copied."""

_RUN_UPSTREAM: Final = ("mcp_servers", "container", "background", "previous_response_id", "conversation")
"""Fields by which an upstream runs or continues something of its own, or gets a login for somebody else's server."""


def sampled(call: Call, percent: float) -> bool:
    """Return whether a request is in the share that is copied.

    Requests of one session are all in it or none, on every pod, so that conversations stay whole. For a request without
    a session, its body decides.
    """
    session = call.facts.agent.session.encode("latin-1") or call.raw
    digest = blake2b(session, digest_size=8, key=call.route.name.encode()[:64]).digest()
    return int.from_bytes(digest) < percent / 100 * 2**64


def can_be_copied(call: Call) -> bool:
    """Return whether a second answer to a request changes nothing but its cost.

    Nobody runs the tools that a candidate calls, so that tools of the client are safe. Those of an upstream are not.
    """
    body = call.body
    return (
        OPERATIONS[call.format].generates
        and not call.compacts
        and len(body.raw) <= BODY_LIMIT
        and not any(field in body.members for field in _RUN_UPSTREAM)
        and not call.facts.server_tools
    )
