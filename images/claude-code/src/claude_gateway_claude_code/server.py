"""The backend's process: its listeners, the pool, the ways out, and how it goes away without cutting an answer."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Final

from claude_gateway_claude_code import version
from claude_gateway_claude_code.app import App
from claude_gateway_claude_code.callers import Callers
from claude_gateway_claude_code.command import Command
from claude_gateway_claude_code.egress import ANTHROPIC_HOSTS, Egress
from claude_gateway_claude_code.gate import Gate
from claude_gateway_claude_code.metrics import Metrics
from claude_gateway_claude_code.pool import Pool
from claude_gateway_claude_code.session import Session
from claude_gateway_claude_code.settings import Settings
from claude_gateway_claude_code.shim import Shim
from claude_gateway_claude_code.upstream import Upstream
from claude_gateway_runtime.asgi import TEXT, Receive, Scope, Send, send_document
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.server.drain import drain
from claude_gateway_runtime.server.listener import Listener, bind
from claude_gateway_runtime.settings import host_and_port

_log: Final = logging.getLogger(__name__)
_METRICS_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


class Unusable(Exception):  # noqa: N818 - said once, at the start
    """The Claude Code CLI cannot be used; the message says why."""


class Process:
    """All that lives as long as the process does."""

    def __init__(self, settings: Settings, cli: Path) -> None:
        """Put the parts together; nothing runs yet. Raises OSError if an address or a file cannot be used."""
        self._settings = settings
        self._stopping = asyncio.Event()
        self._urgent = asyncio.Event()
        self._gate = Gate(concurrency=settings.concurrency, queue=settings.queue, seconds=settings.queue_seconds)
        self._metrics = Metrics(
            running=lambda: self._gate.running, waiting=lambda: self._gate.waiting, ready=lambda: self._pool.ready
        )
        self._upstream = Upstream(settings.upstream_url, proxy=settings.upstream_proxy, extra_ca=settings.extra_ca_file)
        self._shim = Shim(self._upstream, refused=self._metrics.calls_refused.inc)
        self._egress = Egress(
            (*ANTHROPIC_HOSTS, *settings.allowed_hosts),
            proxy=settings.upstream_proxy,
            refused=self._metrics.egress_refused.inc,
        )
        self._cli = cli
        self._pool = Pool(
            self._start,
            size=settings.pool_size,
            logins=settings.logins,
            spawns=settings.spawns,
            idle_seconds=settings.idle_seconds,
        )
        self._app = App(
            callers=Callers(key_file=settings.backend_key_file, callers_file=settings.callers_file),
            pool=self._pool,
            gate=self._gate,
            metrics=self._metrics,
            body=(settings.max_body_bytes, settings.body_seconds),
            ping_seconds=settings.ping_seconds,
        )
        self._public = Listener(self._app, bind(*host_and_port(settings.listen)))
        self._inner = Listener(self._shim, bind("127.0.0.1", 0))
        self._scraped = Listener(_Scraped(self._metrics), bind(*host_and_port(settings.metrics_listen)))

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then until the running answers are complete; a second signal cuts them.

        Raises OSError, Unusable.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        await self._egress.start()
        self._shim.origin = f"http://{self._inner.address}"
        self._command = Command(self._cli, self._settings.run_dir, self._egress.url, self._settings.extra_ca_file)
        self._command.prepare()
        await self._check_version()
        self._warn()
        for listener in (self._inner, self._scraped, self._public):
            await listener.start()
        emit(_log, "listening", address=self._public.address, metrics=self._scraped.address)
        work = [asyncio.create_task(self._pool.run()), asyncio.create_task(self._tick())]
        try:
            await self._first(self._stopping, *work)
            await self._drain()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._pool.close()
            self._egress.close()
            await self._upstream.close()
        emit(_log, "stopped")

    async def _start(self, login: str) -> Session:
        try:
            session = await Session.start(self._command, self._shim, login=login)
        except Exception:
            self._metrics.starts.labels(outcome="failed").inc()
            raise
        self._metrics.starts.labels(outcome="started").inc()
        return session

    async def _check_version(self) -> None:
        said = await self._command.version()
        tested, oldest, newest = version.check(said), version.text(version.OLDEST), version.text(version.NEWEST)
        if tested in (version.Release.OLDER, version.Release.UNKNOWN):
            raise Unusable(f"{self._cli} says it is {said[:64]!r}: this backend needs Claude Code {oldest} or newer")
        level = logging.INFO if tested is version.Release.TESTED else logging.WARNING
        emit(
            _log, "claude_code", level=level, version=said[:64], tested=f"{oldest} to {newest}", is_tested=tested.value
        )

    def _warn(self) -> None:
        if os.geteuid() == 0:
            emit(_log, "running_as_root", level=logging.WARNING, hint="run the backend as a user without rights")
        if not _in_memory(self._settings.run_dir):
            hint = "mount a memory-backed folder at CLAUDE_GATEWAY_RUN_DIR"
            emit(_log, "run_dir_on_disk", level=logging.WARNING, folder=str(self._settings.run_dir), hint=hint)

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._urgent.set()
        self._stopping.set()

    async def _tick(self) -> None:
        while True:
            for listener in (self._public, self._inner, self._scraped):
                await listener.tick()
            await asyncio.sleep(1)

    async def _first(self, event: asyncio.Event, *work: "asyncio.Task[None]") -> None:
        """Wait for ``event``; if work ends before, raise what ended it."""
        waiting = asyncio.create_task(event.wait())
        done, _ = await asyncio.wait((waiting, *work), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done:
            task.result()

    async def _drain(self) -> None:
        self._app.draining = True
        emit(_log, "draining", in_flight=self._app.in_flight, seconds=self._settings.shutdown_seconds)
        seconds = self._settings.shutdown_seconds
        await drain([self._public], in_flight=lambda: self._app.in_flight, urgent=self._urgent, seconds=seconds)
        at_once = self._app.in_flight > 0
        if at_once:
            emit(_log, "answers_cut", level=logging.WARNING, in_flight=self._app.in_flight)
        for listener in (self._public, self._scraped, self._inner):
            await listener.end(at_once=at_once or listener is self._inner)


class _Scraped:
    """The page of metrics."""

    draining = False

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/metrics":
            await send_document(send, status=200, kind=_METRICS_TYPE, body=self._metrics.text())
        elif scope["path"] == "/healthz":
            await send_document(send, status=200, kind=TEXT, body=b"ok\n")
        else:
            await send_document(send, status=404, kind=TEXT, body=b"not found\n")


def _in_memory(folder: Path) -> bool:
    """Whether a folder is on a file system in memory; where that cannot be known, it is not."""
    kinds: dict[str, str] = {}
    try:
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _, place, kind = line.split(" ")[:3]
            kinds[place] = kind
    except (OSError, ValueError):
        return False
    places = [str(place) for place in (folder.resolve(), *folder.resolve().parents) if str(place) in kinds]
    return bool(places) and kinds[places[0]] in _MEMORY
