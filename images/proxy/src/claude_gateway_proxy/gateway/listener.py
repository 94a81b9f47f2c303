"""One bound socket and the uvicorn server on it, started and ended step by step by the process."""

import asyncio
import socket
import ssl
from functools import partial
from typing import Any, Final

from uvicorn import Config, Server

from claude_gateway_proxy.gateway.protocol import Protocol

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the idle time of the load balancers and SDKs in front, so that they are the ones to close."""

_FLUSH_SECONDS: Final = 5
"""How long the last bytes of finished answers may take to reach slow clients."""


class Listener:
    """Serves one ASGI app on one socket."""

    def __init__(
        self,
        app: Any,
        bound: socket.socket,
        *,
        context: ssl.SSLContext | None = None,
        max_age_seconds: float = 0,
    ) -> None:
        """Serve ``app`` on a socket that is bound, with TLS if there is a ``context``.

        No connection gets much older than ``max_age_seconds``, unless that is 0.
        """
        self.tls = context is not None
        self._socket = bound
        self._server = Server(
            Config(
                app,
                http=partial(Protocol, max_age_seconds=max_age_seconds),  # type: ignore[arg-type]
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_FLUSH_SECONDS,
                ssl_context_factory=None if context is None else lambda *_: context,
            )
        )

    @property
    def address(self) -> str:
        """The bound address as ``host:port``, or the path of a Unix socket."""
        name = self._socket.getsockname()
        if isinstance(name, str):
            return name
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self) -> None:
        """Begin to accept connections."""
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self.tick()
        await self._server.startup(sockets=[self._socket])

    async def tick(self) -> None:
        """Renew the ``date`` header; to be called every second."""
        await self._server.on_tick(0)

    def stop_accepting(self) -> None:
        """Close the socket; connections stay, and each ends with the answer that it now waits for or gets next."""
        for server in self._server.servers:
            server.close()
        for connection in self._server.server_state.connections:
            if isinstance(connection, Protocol):
                connection.finish()

    async def end(self, *, at_once: bool) -> None:
        """Close every connection: with its running answer cut if ``at_once``, else when it is flushed."""
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
    """A bound TCP socket; an empty host is every address of both families. Raises OSError."""
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    family, _, _, _, address = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]  # noqa: S104
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
