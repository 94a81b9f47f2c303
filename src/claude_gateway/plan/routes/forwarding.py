"""Checks that targets send the clients' own logins only to hosts that the installation allows."""

from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.policy import Egress
from claude_gateway.names import Reason
from claude_gateway.plan import addresses
from claude_gateway.plan.credentials.credentials import address_problem
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.world import World

DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
"""Where clients' logins are sent if a target sets no address."""


def problem(base_url: str | None, world: World, *, owner: ObjectRef, at: str) -> Problem | None:
    """Return the Problem of an address that receives clients' logins; None if it is allowed."""
    address = base_url or DEFAULT_BASE_URL
    refused = address_problem(address, world, owner=owner, at=at)
    if refused is not None:
        return refused
    parts = urlsplit(address)
    host = parts.hostname or ""
    allowed = [name.lower().rstrip(".").strip("[]") for name in world.settings.forward_hosts]
    if host.rstrip(".") not in allowed:
        message = f"clients' own logins may not be sent to `{host}`"
        fix = (
            "Use a host that may receive logins, or have the gateway's operators allow this one: "
            "`egress.forwardClientTokenTo` in the chart, `--forward-to` of `serve` and `lint`."
        )
        return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, message, fix)
    if parts.scheme != "https" and addresses.refusal(address, Egress()) is None:
        message = "clients' own logins may not be sent without encryption"
        return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, message, "Use `https://` in the `baseURL`.")
    return None
