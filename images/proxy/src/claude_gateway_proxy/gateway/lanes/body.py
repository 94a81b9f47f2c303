"""The body of a request that a lane translates: the caller's, with what the route changes in it."""

from claude_gateway.contract.target import Target, Wire
from claude_gateway_proxy.gateway.body.document import readable, splice
from claude_gateway_proxy.gateway.body.parameters import changes as route_changes
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.wire.reframe import Changes, as_messages


def body_of(call: Call, target: Target) -> bytes:
    """Return the body with the route's changes, readable by any decoder; on every Claude wire it is plain Messages."""
    changes: Changes = {**route_changes(target, format=call.format, facts=call.facts)}
    if call.wire in (Wire.BEDROCK, Wire.VERTEX):
        changes = as_messages(call.body) | changes
    return readable(splice(call.body, changes))
