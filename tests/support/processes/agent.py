"""The agent as a process of its own, and sockets that answer like its neighbours in the pod."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from tests.support.processes.waiting import until_async

from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Target

SECONDS: Final = 30.0


def bundle(route: str, *, key: bytes) -> Bundle:
    """A bundle with one route, whose target has this key."""
    entry = secret_entry("default.key", key)
    target = Target(id=f"default/{route}/0.abcdef01", provider="openai", model="m", secret=entry)
    policy = Policy(routes=(Route(name=f"default/{route}", models=(route,), targets=(target,)),))
    return Bundle(
        gateway=policy.model_dump_json(by_alias=True).encode(), litellm=b"model_list: []\n", secrets={entry: key}
    )


@dataclass
class Neighbour:
    """A socket that answers as gateway and litellm worker do, with what the test puts in."""

    path: Path
    report: ProcessReport = field(default_factory=ProcessReport)
    metrics: str = "# TYPE claude_gateway_requests_total counter\nclaude_gateway_requests_total 3\nprocess_threads 1\n"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Listen."""

        async def status(_: web.Request) -> web.Response:
            return web.json_response(text=self.report.model_dump_json(by_alias=True))

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(text=self.metrics)

        app = web.Application()
        app.add_routes([web.get("/status", status), web.get("/metrics", metrics)])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(self.path)).start()
        try:
            yield
        finally:
            await runner.cleanup()


@dataclass
class Agent:
    """The process, its log so far and a client for its pages, which shows ``token`` if there is one."""

    process: asyncio.subprocess.Process
    log: list[dict[str, Any]]
    http: aiohttp.ClientSession
    token: str = ""

    async def status(self, query: str = "") -> PodReport:
        """One answer of ``/status``."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.http.get(f"/status{query}", headers=headers) as response:
            assert response.status == 200
            return PodReport.model_validate_json(await response.read())

    async def code(self, path: str, *, authorization: str = "") -> int:
        """The status code of a page."""
        headers = {"authorization": authorization} if authorization else {}
        async with self.http.get(path, headers=headers) as response:
            return response.status

    async def until_live(self, revision: str) -> PodReport:
        """Follow the long poll, as the command line does."""
        async with asyncio.timeout(SECONDS):
            report = await self.status()
            while not report.live == report.wanted == revision:
                report = await self.status(f"?revision={report.live or ''}&timeout=5")
        return report

    async def until(self, true: Callable[[PodReport], bool]) -> PodReport:
        """Ask until something is true of the report."""

        async def ask() -> PodReport | None:
            report = await self.status()
            return report if true(report) else None

        report = await until_async(ask)
        assert report is not None
        return report

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event so far."""
        return [line for line in self.log if line["event"] == name]

    async def event(self, name: str) -> dict[str, Any]:
        """Wait for a log line."""

        async def ask() -> list[dict[str, Any]]:
            return self.events(name)

        return (await until_async(ask, what=name))[0]


@asynccontextmanager
async def running(environment: Mapping[str, str], *, token: str = "") -> AsyncIterator[Agent]:
    """Start the agent with these settings, and end it."""
    env = {"PATH": os.environ["PATH"], "CLAUDE_GATEWAY_METRICS_LISTEN": "127.0.0.1:0", **environment}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "claude_gateway_proxy.agent"), env=env, stdout=-1, stderr=-2
    )
    assert process.stdout is not None
    log: list[dict[str, Any]] = []
    while not log or log[-1]["event"] != "listening":
        line = await asyncio.wait_for(process.stdout.readline(), SECONDS)
        assert line, log
        log.append(json.loads(line))
    address = log[-1]["address"]

    async def follow(stream: asyncio.StreamReader) -> None:
        async for line in stream:
            log.append(json.loads(line))  # noqa: PERF401 - others read it while it grows

    following = asyncio.create_task(follow(process.stdout))
    try:
        async with aiohttp.ClientSession(f"http://{address}") as http:
            yield Agent(process, log, http, token)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), SECONDS)
        await following
