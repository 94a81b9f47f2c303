"""The clients' own logins: a route author cannot send them anywhere but where the installation allows."""

from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.policy import Egress
from claude_gateway.names import Reason
from claude_gateway.plan import addresses
from claude_gateway.plan.credentials import address_problem
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.world import World

DEFAULT_BASE_URL: Final = "https://api.anthropic.com"
"""Where a client's login goes that no target sends elsewhere."""


def problem(base_url: str | None, world: World, *, owner: ObjectRef, at: str) -> Problem | None:
    """What is wrong with the address that gets the clients' logins, if anything."""
    address = base_url or DEFAULT_BASE_URL
    refused = address_problem(address, world, owner=owner, at=at)
    if refused is not None:
        return refused
    parts = urlsplit(address)
    host = parts.hostname or ""
    allowed = [name.lower().rstrip(".").strip("[]") for name in world.settings.forward_hosts]
    if host.rstrip(".") not in allowed:
        message = f"clients' own logins may not be sent to `{host}`"
        fix = "Use an address that whoever runs the gateway allows for them, or have this host allowed."
        return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, message, fix)
    if parts.scheme != "https" and addresses.refusal(address, Egress()) is None:
        message = "clients' own logins may not be sent without encryption"
        return Problem(owner, at, Reason.ADDRESS_NOT_ALLOWED, message, "Write `https://`.")
    return None
