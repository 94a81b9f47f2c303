"""When a GatewayClient was last used, from what the proxy pods report; written at most every six hours."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from claude_gateway.plan.status.stored_status import timestamp
from claude_gateway.plan.world import World

STEP: Final = timedelta(hours=6)
"""A newer use replaces the one in the status only after this time."""


def reported(world: World, now: datetime) -> Mapping[str, datetime]:
    """Return the newest use of each client that a pod reports, by the client's full name; none in the future."""
    found: dict[str, datetime] = {}
    for pod in world.pods or ():
        gateway = None if pod.report is None else pod.report.gateway
        for use in () if gateway is None else gateway.clients:
            if 0 <= use.at <= now.timestamp():
                at = datetime.fromtimestamp(use.at, UTC)
                found[use.client] = max(at, found.get(use.client, at))
    return found


def shown(used: datetime | None, before: str | None) -> str | None:
    """Return what the status should say: the time that it has, unless the client was used much later."""
    if used is None:
        return before
    try:
        known = None if before is None else datetime.fromisoformat(before)
        recent = known is not None and used - known < STEP
    except (ValueError, TypeError):
        # Somebody else wrote the status.
        recent = False
    return before if recent else timestamp(used)
