"""The gateway's state, metrics and last failures, which are read over a Unix socket."""

import asyncio
from collections.abc import Callable
from typing import Final

from claude_gateway.contract.report import OVERVIEW_PATH, Overview, ProcessReport, TargetFailures
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_runtime.asgi import JSON, TEXT, Receive, Scope, Send, send_document
from claude_gateway_runtime.tasks import running_tasks

_METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class InternalApp:
    """Serves ``/status``, ``/failures``, ``/overview`` and ``/metrics`` to whoever may open the socket."""

    draining = False

    def __init__(
        self,
        *,
        report: Callable[[], ProcessReport],
        failures: Callable[[], TargetFailures],
        overview: Callable[[], Overview],
        metrics: Metrics,
    ) -> None:
        """Call ``report``, ``failures`` or ``overview`` for each request."""
        self._report = report
        self._failures = failures
        self._overview = overview
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/status":
            status, kind, body = 200, JSON, self._report().model_dump_json(by_alias=True).encode()
        elif scope["path"] == "/failures":
            status, kind, body = 200, JSON, self._failures().model_dump_json(by_alias=True).encode()
        elif scope["path"] == OVERVIEW_PATH:
            status, kind, body = 200, JSON, self._overview().model_dump_json(by_alias=True).encode()
        elif scope["path"] == "/metrics":
            # Counted here: the thread has no loop.
            self._metrics.tasks.set(running_tasks())
            # In a thread: with thousands of label sets it takes longer than a stream may wait.
            status, kind, body = 200, _METRICS_TYPE, await asyncio.to_thread(self._metrics.text)
        else:
            status, kind, body = 404, TEXT, b"not found\n"
        await send_document(send, status=status, kind=kind, body=body)
