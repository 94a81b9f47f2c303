"""Waits until the API server serves our kinds, because Kopf discovers kinds only once, at its start."""

import asyncio
import logging
from typing import Final

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import API_VERSION
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime.kube import Kube, KubeError
from claude_gateway_runtime.logs import emit

_PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)

_log: Final = logging.getLogger(__name__)


async def until_served(connection: Kube, settings: Settings) -> Owner:
    """Wait without limit until the API server serves our kinds; returns the owner."""
    attempt = 0
    while True:
        try:
            found = await connection.get(f"/apis/{API_VERSION}") or {}
            served = {entry.get("name") for entry in found.get("resources") or ()}
            missing = sorted({kind.plural for kind in KINDS} - served)
            if not missing:
                return await Owner.find(connection, settings)
            emit(_log, "kinds_missing", level=logging.WARNING, missing=missing)
        except KubeError as error:
            emit(_log, "api_server_away", level=logging.WARNING, error=str(error))
        await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
        attempt += 1
