"""One bound socket and the server on it, started and ended step by step by the process."""

import asyncio
import socket
import ssl
from functools import partial
from typing import Final

from uvicorn import Server

from claude_gateway_runtime.server.config import BACKLOG, config
from claude_gateway_runtime.server.crowd import Crowd
from claude_gateway_runtime.server.protocol import App, Limits, Protocol
from claude_gateway_runtime.settings import join_host_port

_FLUSH_SECONDS: Final = 5
"""How long the last bytes of finished answers may take to reach slow clients."""


class Listener:
    """Serves one ASGI app on one socket."""

    def __init__(
        self, app: App, bound: socket.socket, *, limits: Limits | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        """Serve ``app`` on a bound socket within ``limits``, with TLS if there is a ``context``."""
        self.tls = context is not None
        self._socket = bound
        limits = limits or Limits()
        self._crowd = Crowd(most=limits.connections, most_of_one=limits.connections_per_address)
        http = partial(Protocol, limits=limits, crowd=self._crowd)
        self._server = Server(config(app, http=http, context=context, shutdown_seconds=_FLUSH_SECONDS))

    @property
    def waiting(self) -> bool:
        """Whether a connection waits for a request that its client may already be sending."""
        return self._crowd.waiting

    @property
    def address(self) -> str:
        """The bound address as ``host:port``, or the path of a Unix socket."""
        name = self._socket.getsockname()
        return name if isinstance(name, str) else join_host_port(*name[:2])

    async def start(self) -> None:
        """Begin to accept connections."""
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self.tick()
        await self._server.startup(sockets=[self._socket])

    async def tick(self) -> None:
        """Renew the ``date`` header; call it every second."""
        await self._server.on_tick(0)

    def stop_accepting(self) -> None:
        """Close the socket; each connection ends with its next answer, or in a pause."""
        for server in self._server.servers:
            server.close()
        self.retire()

    def retire(self) -> None:
        """End each connection that is open now with its next answer, or in a pause."""
        for connection in self._server.server_state.connections:
            if isinstance(connection, Protocol):
                connection.finish()

    async def end(self, *, at_once: bool) -> None:
        """Close every connection: when its answer is flushed, or ``at_once``, which cuts the answer."""
        state = self._server.server_state
        if at_once and state.tasks:
            for task in state.tasks:
                task.cancel()
            await asyncio.wait(state.tasks, timeout=1)
        if at_once:
            for connection in list(state.connections):
                connection.transport.abort()
        await self._server.shutdown(sockets=[self._socket])


def bind(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; an empty host is every address of both families. Raises OSError."""
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    family, _, _, _, address = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]  # noqa: S104
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)
