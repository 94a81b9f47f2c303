"""The worker's process: its socket, its background work, and how it goes away without cutting an answer."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import Final

import uvicorn

from claude_gateway.names import BUNDLE_DIR, LITELLM_SOCKET
from claude_gateway_proxy.litellm import guard
from claude_gateway_proxy.litellm.app import App
from claude_gateway_proxy.litellm.library import Library
from claude_gateway_proxy.litellm.live import Live
from claude_gateway_proxy.litellm.settings import Settings
from claude_gateway_proxy.litellm.targets import Table
from claude_gateway_runtime.follower import Loaded, Refused
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.unixsocket import bind_unix

_log: Final = logging.getLogger(__name__)

_BACKLOG: Final = 2048


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
        path = self._settings.run_dir / LITELLM_SOCKET
        bound = bind_unix(path)
        server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                http="httptools",
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, round(self._settings.shutdown_seconds)),
            )
        )
        # With the configuration there, the first request finds it.
        await self._live.check()
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn handles the signal, and at its end raises it once more for whoever was there before.
            asyncio.get_running_loop().add_signal_handler(number, lambda: None)
        following = asyncio.create_task(self._live.run())
        following.add_done_callback(lambda _: server.handle_exit(signal.SIGTERM, None))
        emit(_log, "listening", address=str(path))
        try:
            await server.serve(sockets=[bound])
        finally:
            following.cancel()
            path.unlink(missing_ok=True)
            with contextlib.suppress(asyncio.CancelledError):
                await following
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
