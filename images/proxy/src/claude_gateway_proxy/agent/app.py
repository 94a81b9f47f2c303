"""The agent's HTTP server: ``/status``, ``/metrics`` and ``/healthz``."""

import math
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from claude_gateway.contract.report import PodReport
from claude_gateway_proxy.agent import exposition, metrics
from claude_gateway_proxy.agent.keeper import Keeper
from claude_gateway_proxy.agent.kubernetes import ReportToken
from claude_gateway_proxy.agent.processes import Process
from claude_gateway_proxy.agent.status import Monitor

MAX_WAIT_SECONDS: Final = 60.0
MAX_WAITERS: Final = 32


@dataclass(slots=True)
class Pages:
    """Answers of the agent; ``waiting`` counts the open long polls.

    ``report_token`` is the token that ``/status`` requires; None if only this machine can reach it.
    """

    keeper: Keeper
    monitor: Monitor
    processes: tuple[Process, ...]
    report_token: ReportToken | None = None
    waiting: int = 0

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/status", self.status)
        return app

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while the agent runs; whether the pod is in order is in ``/status``."""
        return web.Response(text="ok\n")

    async def metrics(self, _: web.Request) -> web.Response:
        """The whole pod's metrics."""
        page = await metrics.page(keeper=self.keeper, report=self.monitor.report, processes=self.processes)
        return web.Response(body=page.encode(), headers={"content-type": exposition.CONTENT_TYPE})

    async def status(self, request: web.Request) -> web.Response:
        """The PodReport as JSON, now or as a long poll.

        ``?revision=R&timeout=S`` answers once another revision than R is live (R empty: once one is), once another
        is wanted, once an error comes or goes, or after S seconds (0 to 60, default 30). 503 if too many wait, 401
        without the report token.
        """
        if self.report_token is not None and not self.report_token.admits(request.headers.get("authorization")):
            return web.Response(status=401, text="the report token is needed\n", headers={"www-authenticate": "Bearer"})
        live = request.query.get("revision")
        if live is None:
            return _status(self.monitor.report)
        seconds = _seconds(request.query.get("timeout", "30"))
        if seconds is None:
            return web.Response(status=400, text=f"timeout must be a number from 0 to {MAX_WAIT_SECONDS:.0f}\n")
        if self.waiting >= MAX_WAITERS:
            return web.Response(status=503, text="too many wait already\n", headers={"retry-after": "1"})
        self.waiting += 1
        try:
            return _status(await self.monitor.wait(live=live or None, timeout_seconds=seconds))
        finally:
            self.waiting -= 1


def _status(report: PodReport) -> web.Response:
    return web.Response(text=report.model_dump_json(by_alias=True) + "\n", content_type="application/json")


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= MAX_WAIT_SECONDS else None
