"""What the gateway tells the agent over a Unix socket: its state and its metrics."""

import asyncio
from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import ProcessReport
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_runtime.asgi import JSON, TEXT, Receive, Scope, Send, send_whole

_METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class InternalApp:
    """Serves ``/status`` and ``/metrics``; the socket's file mode says who may ask."""

    draining = False

    def __init__(self, *, report: Callable[[], ProcessReport], metrics: Metrics) -> None:
        """Ask ``report`` at each request."""
        self._report = report
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/status":
            status, kind, body = 200, JSON, self._report().model_dump_json(by_alias=True).encode()
        elif scope["path"] == "/metrics":
            # In a thread: with thousands of label sets it takes longer than a stream should wait.
            status, kind, body = 200, _METRICS_TYPE, await asyncio.to_thread(self._metrics.text)
        else:
            status, kind, body = 404, TEXT, b"not found\n"
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send_whole(send, status=status, headers=headers, body=body)
