"""Failures of the gateway and of what is behind it.

What only a person can mend (a key, an address, a route) is marked as not worth another try: Claude Code would try for
minutes before it shows the message.
"""

from claude_gateway_proxy.gateway.errors.failure import Failure
from claude_gateway_runtime.envelope import anthropic_type


def not_ready(reason: str) -> Failure:
    """The gateway has no configuration yet."""
    return Failure(
        status=503, type="api_error", code="not_ready", retry_after=1, message=f"the gateway is not ready: {reason}"
    )


def no_targets(route: str) -> Failure:
    """None of the route's targets could be resolved."""
    return Failure(
        status=503,
        type="api_error",
        code="no_targets",
        retry=False,
        message=f"the route '{route}' has no usable target; its status says why",
    )


def upstream_down(route: str) -> Failure:
    """No target could be reached, or the last one broke off before it answered."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_unreachable",
        message=f"no target of the route '{route}' could be reached",
    )


def upstream_refused_key(route: str) -> Failure:
    """The upstream refused the gateway's own credential: not the caller's fault, so neither 401 nor 403."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_credential_refused",
        retry=False,
        message=f"the upstream refused the gateway's credential for the route '{route}'; its owner must renew it",
    )


def identity_missing(route: str) -> Failure:
    """The gateway has no identity at the target's cloud; the log says why."""
    return Failure(
        status=502,
        type="api_error",
        code="identity_missing",
        retry=False,
        message=f"the gateway has no usable identity at the cloud of the route '{route}'; its owner must mend the "
        "credential",
    )


def upstream_redirected(route: str) -> Failure:
    """The upstream answered with a redirect, which is never followed: it could lead a key anywhere."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_redirected",
        retry=False,
        message=f"the upstream of the route '{route}' answered with a redirect, which the gateway does not follow",
    )


def address_refused(route: str) -> Failure:
    """The target's host resolved to an address that the egress rule refuses."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_address_refused",
        retry=False,
        message=f"a target of the route '{route}' resolves to an address that this gateway may not call",
    )


def first_token_timeout(route: str, seconds: float) -> Failure:
    """No target began its answer within the route's ``timeouts.firstToken``."""
    return Failure(
        status=504,
        type="timeout_error",
        code="first_token_timeout",
        message=f"no target of the route '{route}' began its answer within {seconds:g} s",
    )


def stream_stalled(route: str, seconds: float) -> Failure:
    """The answer stopped for longer than ``timeouts.idle`` or went on for longer than ``timeouts.total``."""
    return Failure(
        status=504,
        type="timeout_error",
        code="upstream_timeout",
        message=f"the upstream of the route '{route}' did not finish its answer: {seconds:g} s are over",
    )


def stream_broken(route: str) -> Failure:
    """The upstream closed the connection in the middle of its answer."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_broken",
        message=f"the upstream of the route '{route}' closed the connection before its answer was complete",
    )


def upstream_error(route: str, status: int) -> Failure:
    """The upstream reported an error of this kind within its stream, before the model said anything."""
    return Failure(
        status=status,
        type=anthropic_type(status),
        code="upstream_error",
        message=f"the upstream of the route '{route}' reported an error: {anthropic_type(status)}",
    )


def litellm_down() -> Failure:
    """The LiteLLM worker of this pod does not answer; targets of the relay lane are not affected."""
    return Failure(
        status=502,
        type="api_error",
        code="litellm_unreachable",
        message="the LiteLLM worker is not running; it is needed for this target",
    )


def internal() -> Failure:
    """A bug of ours; the log says where, under the request's id."""
    return Failure(
        status=500, type="api_error", code="internal_error", message="the gateway failed to handle this request"
    )
