"""The gateway's app in the test's own process: real server, real sockets, real log; and upstreams written by hand."""

import asyncio
import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.support.builders import bundles
from tests.support.processes.waiting import until_async

from claude_gateway.contract import folder
from claude_gateway.contract.budget import Budget
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.route import Route
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.counters.counters import Counters
from claude_gateway_proxy.gateway.admission.limits import RateLimits
from claude_gateway_proxy.gateway.admission.load import Bounds, Load
from claude_gateway_proxy.gateway.admission.queue import Patience
from claude_gateway_proxy.gateway.app import App
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.batches.batches import Batches
from claude_gateway_proxy.gateway.caching.cache import ResponseCache
from claude_gateway_proxy.gateway.caching.store import Memory
from claude_gateway_proxy.gateway.costs.usage import Used
from claude_gateway_proxy.gateway.discovery.discovery import Discovery
from claude_gateway_proxy.gateway.exchange import Exchange
from claude_gateway_proxy.gateway.identities.clouds import Identities
from claude_gateway_proxy.gateway.lanes.codec.lane import CodecLane
from claude_gateway_proxy.gateway.lanes.dispatch import Dispatch
from claude_gateway_proxy.gateway.lanes.litellm import LiteLLMLane
from claude_gateway_proxy.gateway.lanes.relay.lane import RelayLane
from claude_gateway_proxy.gateway.records import Records
from claude_gateway_proxy.gateway.snapshot import build
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.upstream import documents
from claude_gateway_proxy.gateway.upstream.worker import Worker
from claude_gateway_runtime.follower import Follower
from claude_gateway_runtime.server.listener import Listener, bind

KEY: Final = "cgw_test-key"
_AMPLE: Final = Bounds(requests=2000, bytes=2**30)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came over the wire; header names as they were written."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header; None where it is absent. Raises ValueError where it came twice."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) > 1:
            raise ValueError(f"{name} came {len(values)} times")
        return values[0] if values else None


Reply = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


def whole(body: bytes, *, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> Reply:
    """Answer with a body of known length."""

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body)

    return reply


def head(*, status: str = "200 OK", kind: str = "text/event-stream", headers: str = "") -> bytes:
    """The head of a chunked answer."""
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}transfer-encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    """One HTTP chunk; an empty one ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(*parts: bytes, end: bool = True) -> Reply:
    """Answer with these chunks at once; without ``end`` the connection then stays silent."""

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + b"".join(map(chunk, parts)) + (chunk(b"") if end else b""))

    return reply


async def hang(_: Seen, __: asyncio.StreamWriter) -> None:
    """Say nothing at all."""


async def drop(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""
    writer.close()


@dataclass
class Upstream:
    """An HTTP/1.1 server that answers each request by the next of ``replies``, the last one again and again.

    ``open`` counts the connections that the gateway keeps open, ``ended`` those that it closed.
    """

    replies: list[Reply]
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    open: int = 0
    ended: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection until the other side closes it."""
        self.open += 1
        try:
            while True:
                request = await _read(reader)
                if request is None:
                    self.ended += 1
                    return
                self.seen.append(request)
                reply = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
                await reply(request, writer)
                if writer.is_closing():
                    return
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def upstream(*replies: Reply, path: Path | None = None) -> AsyncIterator[Upstream]:
    """Run an upstream on a free port, or on a Unix socket at ``path``."""
    served = Upstream(list(replies))
    if path is None:
        server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
        served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        path.parent.mkdir(exist_ok=True)
        server = await asyncio.start_unix_server(served.serve, path)
    try:
        yield served
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.rstrip().split("\r\n")
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        length = next(int(value) for name, value in headers if name.lower() == "content-length")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, target, _ = first.split(" ")
    return Seen(method, target, headers, body)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running app: ``url``, its run directory, a client session, what it logged, and its metrics."""

    url: str
    run_dir: Path
    client: aiohttp.ClientSession
    log: Path
    app: App
    metrics: Metrics
    exchange: Exchange

    async def post(
        self, path: str, body: bytes | Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request with the client's key; the answer's body is still to be read."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **(headers or {})}
        return await self.client.post(f"{self.url}{path}", data=io.BytesIO(data), headers=sent)

    async def records(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many requests ended, and give their log lines."""

        async def ask() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in self.log.read_text().splitlines()]
            return lines if len(lines) >= count else []

        return await until_async(ask, what=f"{count} request lines")

    async def idle(self) -> None:
        """Wait until nothing is being answered."""

        async def ask() -> bool:
            return self.app.in_flight == 0

        await until_async(ask, what="the gateway to be idle")


def limited(*, seconds: float = 10, counters: Counters | None = None, required: bool = False) -> Admission:
    """Return an admission by limits whose requests wait so long at most."""
    limits = RateLimits(required=required)
    return Admission([limits], targets=limits, counters=counters, patience=Patience(seconds=seconds))


@contextlib.asynccontextmanager
async def gateway(
    *routes: Route,
    secrets: Mapping[str, bytes] | None = None,
    egress: Egress | None = None,
    ping_seconds: float = 0,
    body_seconds: float = 60,
    admission: Admission | None = None,
    load: Load | None = None,
    token_file: Path | None = None,
    run: Path | None = None,
    clients: Mapping[str, Client] | None = None,
    budgets: Sequence[Budget] = (),
) -> AsyncIterator[Gateway]:
    """Serve these routes to ``clients`` by their keys, or to the holder of ``KEY``; ``secrets`` by entry name, as the
    targets name them.

    ``token_file`` holds the ServiceAccount token. ``run`` is a run directory that the test keeps.
    """
    callers = clients or {KEY: Client(name="ns/dev")}
    keys = {key: client.name for key, client in callers.items()}
    bundle = bundles.bundle(
        routes, clients=tuple(callers.values()), keys=keys, secrets=secrets, egress=egress, budgets=budgets
    )
    admission = admission or limited()
    metrics = Metrics(in_flight=lambda: 0)
    with _run_dir(run) as run_dir, _journal(run_dir / "log") as journal:
        folder.write(run_dir / "bundle", bundle)
        live = Follower(run_dir / "bundle", build=build, on_change=lambda _: None)
        await live.check()
        worker = Worker(str(run_dir / LITELLM_SOCKET))
        identities = Identities(token_file=token_file, folder=run_dir / "access-tokens")
        dispatch = Dispatch(identities)
        lanes = (RelayLane(dispatch), CodecLane(dispatch), LiteLLMLane(worker, identities))
        exchange = Exchange(lanes, admission=admission, ping_seconds=ping_seconds)
        issuers = Issuers(documents.fetch)
        used = Used(time.time)
        app = App(
            live=live,
            exchange=exchange,
            batches=Batches(admission=admission, credentials=exchange.credentials),
            issuers=issuers,
            records=Records(metrics=metrics, journal=journal, used=used.note),
            discovery=Discovery(issuers=issuers, worker_started=worker.started, find=used.find),
            load=load or Load(pod=_AMPLE, client=_AMPLE),
            max_body_bytes=32 * 1024**2,
            body_seconds=body_seconds,
            responses=ResponseCache(Memory(limit=2**20, clock=time.monotonic), clock=time.time),
        )
        try:
            async with _listening(app) as url, _client() as client:
                yield Gateway(url, run_dir, client, run_dir / "log", app, metrics, exchange)
        finally:
            await app.close()
            await exchange.close()


@contextlib.contextmanager
def _run_dir(kept: Path | None) -> Iterator[Path]:
    """The run directory: one that the test keeps, or one of the gateway's own."""
    if kept is not None:
        yield kept
        return
    # Not pytest's folder: the path of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cgw-") as made:
        yield Path(made)


@contextlib.contextmanager
def _journal(path: Path) -> Iterator[Journal]:
    """A log in a file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    journal = Journal(fd)
    try:
        yield journal
    finally:
        journal.close()
        os.close(fd)


@contextlib.asynccontextmanager
async def _listening(app: App) -> AsyncIterator[str]:
    """Serve an app on a free loopback port; yields its URL."""
    listener = Listener(app, bind("127.0.0.1", 0))
    await listener.start()
    try:
        yield f"http://{listener.address}"
    finally:
        listener.stop_accepting()
        await listener.end(at_once=True)


def _client() -> aiohttp.ClientSession:
    """Return a client that shows bodies and headers as they came."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, skip_auto_headers=["Accept", "User-Agent"]
    )


def events(*names: str) -> Sequence[bytes]:
    """Anthropic events, by type, with usage where it belongs."""
    return [
        b'event: %s\ndata: {"type":"%s"%s}\n\n' % (name.encode(), name.encode(), _MORE.get(name, b"")) for name in names
    ]


_MORE: Final = {
    "message_start": b',"message":{"id":"msg_1","usage":{"input_tokens":11,"output_tokens":1}}',
    "message_delta": b',"usage":{"output_tokens":22}',
}
