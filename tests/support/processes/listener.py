"""The end of a Python program that is a server: it prints its address and serves until SIGTERM."""

import asyncio
import json
import signal
from collections.abc import Callable


async def serve_until_terminated(connection: Callable[[], asyncio.Protocol]) -> None:
    """Serve on an ephemeral loopback port until SIGTERM; ``connection`` makes the protocol of each connection."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()[:2]
    print(json.dumps({"event": "listening", "address": f"{host}:{port}"}), flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
