"""uvicorn's settings that all our servers share: HTTP only, nothing logged, nothing added, nothing rewritten."""

import ssl
from collections.abc import Callable
from typing import Any, Final

from uvicorn import Config

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the idle time of the load balancers and SDKs in front, so that they close first."""
BACKLOG: Final = 2048


def config(
    app: Any,
    *,
    shutdown_seconds: int,
    http: Callable[..., Any] | None = None,
    context: ssl.SSLContext | None = None,
) -> Config:
    """Return the configuration of a server for ``app``.

    ``shutdown_seconds`` is how long connections may take to end. ``http`` is the protocol, uvicorn's own on httptools
    by default; ``context`` turns TLS on.
    """
    return Config(
        app,
        http="httptools" if http is None else http,  # type: ignore[arg-type]
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
        ssl_context_factory=None if context is None else lambda *_: context,
    )
