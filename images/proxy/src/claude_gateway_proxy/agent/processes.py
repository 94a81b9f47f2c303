"""The pod's other processes as the agent sees them: a Unix socket each with ``/status`` and ``/metrics``."""

from pathlib import Path
from typing import Final

import aiohttp
from pydantic import ValidationError

from claude_gateway.contract.report import ProcessReport
from claude_gateway_proxy.agent import exposition

ANSWER_SECONDS: Final = 2.0
"""How long a process may take to answer before it counts as not answering."""


class Process:
    """One process behind one socket; it may start and stop at any time."""

    def __init__(self, name: str, socket: Path) -> None:
        """Needs a running event loop; connects only for a request."""
        self.name = name
        self._session = aiohttp.ClientSession(
            base_url="http://process",
            connector=aiohttp.UnixConnector(path=str(socket)),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            headers={"accept": "*/*"},
        )

    async def report(self) -> ProcessReport | None:
        """Return what it serves now; None if it does not answer, or answers incorrectly."""
        body = await self._get("/status")
        if body is None:
            return None
        try:
            return ProcessReport.model_validate_json(body)
        except ValidationError:
            return None

    async def metrics(self) -> dict[str, exposition.Family] | None:
        """Return its metric families; None if it does not answer, or answers incorrectly."""
        body = await self._get("/metrics")
        if body is None:
            return None
        try:
            return exposition.parse(body.decode(), process=self.name)
        except ValueError:
            return None

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _get(self, path: str) -> bytes | None:
        try:
            async with self._session.get(path, allow_redirects=False) as response:
                body = await response.read()
                return body if response.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None
