"""A pod's agent as the operator sees it: reports what the test says, to whom has the token."""

import asyncio
import contextlib
import socket
import threading
from typing import Self

import psutil
from aiohttp import web

from claude_gateway.contract.report import PodReport, ProcessReport


def own_address() -> str:
    """An address of this machine that an EndpointSlice may hold: an API server refuses loopback ones there."""
    for addresses in psutil.net_if_addrs().values():
        for entry in addresses:
            if entry.family == socket.AF_INET and not entry.address.startswith(("127.", "169.254.")):
                return str(entry.address)
    raise RuntimeError("this machine has no address but loopback; give it one: ip link add dummy0 type dummy")


def serving(revision: str | None, *, litellm: str | None = None) -> PodReport:
    """A pod whose processes both serve a revision, or whose LiteLLM worker serves another."""
    worker = litellm or revision
    return PodReport(
        wanted=revision,
        live=revision if worker == revision else None,
        gateway=ProcessReport(revision=revision),
        litellm=ProcessReport(revision=worker),
    )


class FakeAgent:
    """Runs in a thread from ``with`` to its end; long polls as the real one does."""

    def __init__(self) -> None:
        """Serves nothing yet."""
        self.address = own_address()
        self.port = 0
        self.asked = 0
        self.tokens: set[str] = set()
        self._report = PodReport()
        self._loop = asyncio.new_event_loop()
        self._turned = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def report(self, report: PodReport) -> None:
        """Report this from now on, and at once to who waits."""

        def turn() -> None:
            self._report = report
            self._turned.set()
            self._turned = asyncio.Event()

        self._loop.call_soon_threadsafe(turn)

    def __enter__(self) -> Self:
        self._thread.start()
        self._runner = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/status", self._status)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, self.address, 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _end(self) -> None:
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _status(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.tokens.add(request.headers.get("authorization", ""))
        live = request.query.get("revision")
        if live is not None and (self._report.live or "") == live:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._turned.wait(), float(request.query["timeout"]))
        return web.Response(text=self._report.model_dump_json(by_alias=True), content_type="application/json")
