"""The brake of a client, as its GatewayClient configures it."""

from claude_gateway.api import brake as api
from claude_gateway.contract.brake import Brake, BrakeLimits
from claude_gateway.contract.money import parse


def of(written: api.Brake | None) -> Brake | None:
    """Return a client's brake; None if the GatewayClient sets none."""
    if written is None:
        return None
    return Brake(
        session=_limits(written.per_session),
        agent=_limits(written.per_agent),
        hard_percent=written.hard_percent,
        released=written.released or (),
    )


def _limits(written: api.SessionLimits | api.AgentLimits) -> BrakeLimits:
    return BrakeLimits(
        dollars=parse(written.dollars),
        requests=written.requests,
        minutes=written.minutes,
        repeated_tool_calls=written.repeated_tool_calls,
        growing_turns=written.growing_turns,
    )
