"""A server on one socket that runs until a signal, then until its running responses are complete."""

import asyncio
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from uvicorn import Server

from claude_gateway_runtime.server.config import config


async def serve(app: Any, bound: socket.socket, *, shutdown_seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Serve ``app`` on a bound socket until SIGTERM or SIGINT, then finish the running responses within a time limit.

    ``work`` runs beside it. When it ends, the server ends too, and what it raised is raised.
    """
    server = Server(config(app, shutdown_seconds=max(1, round(shutdown_seconds))))
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn handles the signal, and at its end raises it once more for the handler that was there before.
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    working = asyncio.create_task(work)
    working.add_done_callback(lambda _: server.handle_exit(signal.SIGTERM, None))
    try:
        await server.serve(sockets=[bound])
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
