"""The limits of a client, a route or a target, as the data plane reads them."""

from claude_gateway.api import limits as api
from claude_gateway.contract.limits import Limits


def of(limits: api.Limits | None) -> Limits | None:
    """Return the limits that an object sets; None without any."""
    return None if limits is None else Limits.model_validate(limits.model_dump())
