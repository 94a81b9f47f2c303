"""Failures of the gateway and of what is behind it.

A failure that only a person can repair (a key, an address, a route) is marked as not retryable: Claude Code would retry
for minutes before it shows the message.
"""

from claude_gateway_proxy.unreachable import PHRASES, Obstacle
from claude_gateway_runtime.envelope import anthropic_type
from claude_gateway_runtime.failure import Failure, Row, row


@row(500, "internal_error")
def internal() -> str:
    """A bug of the gateway; the log says where, under the request's id."""
    return "the gateway failed to handle this request"


@row(503, "not_ready", retry_after="1")
def not_ready(reason: str) -> str:
    """The gateway has no configuration yet."""
    return f"the gateway is not ready: {reason}"


@row(529, "overloaded", retry=True, retry_after="5")
def overloaded(reason: str) -> str:
    """This pod is at its limit; ``reason`` says which one."""
    return f"the gateway is busy: {reason}; try again in a few seconds"


@row(503, "limits_unavailable", retry=True, retry_after="5")
def counters_unavailable() -> str:
    """The service that counts for all pods cannot be reached, and the installation requires it."""
    return "the gateway cannot check its limits at the moment: the service that counts requests is unavailable"


@row(503, "no_targets", retry=False)
def no_targets(route: str) -> str:
    """None of the route's targets could be resolved."""
    return f"the route '{route}' has no usable target; its status, or the output of `serve`, says why"


@row(503, "route_suspended", retry=False)
def route_suspended(route: str) -> str:
    """The owner of the route took it out of service."""
    return f"the route '{route}' is suspended: use another model, or ask whoever runs the gateway"


@row(502, "upstream_unreachable")
def upstream_down(route: str, obstacle: Obstacle) -> str:
    """No target could be reached, or the last one broke off before it answered; the log has the details."""
    return f"no target of the route '{route}' could be reached: {PHRASES[obstacle]}"


@row(503, "litellm_unreachable", retry_after="2")
def litellm_down() -> str:
    """The LiteLLM worker of this pod does not answer; targets of the relay lane are not affected."""
    return "the LiteLLM worker is not running; it is needed for this target and starts again within seconds"


@row(502, "upstream_broken")
def stream_broken(route: str) -> str:
    """The upstream closed the connection in the middle of its answer."""
    return f"the upstream of the route '{route}' closed the connection before its answer was complete"


@row(502, "upstream_page", retry=False)
def upstream_page(route: str) -> str:
    """The upstream answered with a web page and a status of success, as login pages and wrong addresses do."""
    return f"the upstream of the route '{route}' answered with a web page; its owner must check the base URL"


@row(502, "upstream_credential_refused", retry=False)
def upstream_refused_key(route: str, status: int) -> str:
    """The upstream rejected the gateway's own credential: not the caller's fault, so neither 401 nor 403."""
    return f"the upstream refused the gateway's credential for the route '{route}' ({status}); its owner must renew it"


@row(502, "identity_missing", retry=False)
def identity_missing(route: str) -> str:
    """The gateway has no identity at the target's cloud; the log says why."""
    return f"the gateway has no usable identity at the cloud of the route '{route}'; its owner must fix the credential"


@row(503, "identity_unanswered", retry_after="2")
def identity_unanswered(route: str) -> str:
    """The issuer of a target's credential did not answer, or is overloaded; the log has the details."""
    return f"the gateway gets no credential for the route '{route}' at the moment: its issuer does not answer"


@row(502, "upstream_broken", retry=False)
def not_a_batch(route: str) -> str:
    """The upstream answered with success, but not with a batch, so the gateway does not know its id."""
    return f"the upstream of the route '{route}' did not answer with a message batch"


@row(502, "upstream_redirected", retry=False)
def upstream_redirected(route: str) -> str:
    """The upstream answered with a redirect, which is never followed: it could lead a key anywhere."""
    return f"the upstream of the route '{route}' answered with a redirect, which the gateway does not follow"


@row(502, "upstream_address_refused", retry=False)
def address_refused(route: str) -> str:
    """The target's host resolves to an address that the egress rule rejects."""
    return f"a target of the route '{route}' resolves to an address that this gateway may not call"


@row(504, "first_token_timeout")
def first_token_timeout(route: str, seconds: float) -> str:
    """No target began its answer within the route's ``timeouts.firstToken``."""
    return f"no target of the route '{route}' began its answer within {seconds:g} s"


@row(504, "upstream_timeout")
def stream_stalled(route: str, seconds: float) -> str:
    """The answer paused for longer than ``timeouts.idle`` or lasted longer than ``timeouts.total``."""
    return f"the upstream of the route '{route}' did not finish its answer: {seconds:g} s are over"


def upstream_error(route: str, status: int) -> Failure:
    """The upstream reported an error of this kind within its stream, before the model said anything."""
    message = f"the upstream of the route '{route}' reported an error: {anthropic_type(status)}"
    return Row(status, "upstream_error").failure(message)
