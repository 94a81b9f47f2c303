"""The worker's process: its socket, its background work, and a shutdown that cuts no answer."""

import logging
import os
import time
from typing import Final

from claude_gateway.names import BUNDLE_DIR, LITELLM_SOCKET
from claude_gateway_proxy.litellm import bounds, guard, tracing
from claude_gateway_proxy.litellm.app import App
from claude_gateway_proxy.litellm.library import Library
from claude_gateway_proxy.litellm.live import Live
from claude_gateway_proxy.litellm.settings import Settings
from claude_gateway_proxy.litellm.targets import Table
from claude_gateway_runtime.follower import Loaded, Refused
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.server import serving
from claude_gateway_runtime.unixsocket import bind_unix

_log: Final = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then until the running answers are complete or the grace is over.

    Raises OSError if the socket cannot be made.
    """
    process = _Process(settings)
    await process.run()


class _Process:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._library = Library()
        self._live = Live(settings.run_dir / BUNDLE_DIR, on_change=self._changed)
        self._app = App(live=self._live, library=self._library)

    async def run(self) -> None:
        guard.install(lambda: self._live.egress, os.environ)
        bounds.install()
        tracing.install()
        path = self._settings.run_dir / LITELLM_SOCKET
        bound = bind_unix(path)
        try:
            # Load the configuration before the first request arrives.
            await self._live.check()
            emit(_log, "listening", address=str(path))
            await serving.serve(
                self._app, bound, shutdown_seconds=self._settings.shutdown_seconds, work=self._live.run()
            )
        finally:
            path.unlink(missing_ok=True)
        emit(_log, "stopped")

    def _changed(self, change: Loaded[Table] | Refused) -> None:
        if isinstance(change, Refused):
            self._app.metrics.refused()
            emit(_log, "config_refused", level=logging.ERROR, revision=change.revision, error=change.error)
            return
        table = change.value
        if table.preload:
            self._library.preload()
        self._app.metrics.loaded(revision=table.revision, now=time.time())
        emit(
            _log,
            "config_loaded",
            revision=table.revision,
            targets=len(table.targets),
            took_ms=round(change.seconds * 1000, 1),
        )
