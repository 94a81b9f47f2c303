"""The gateway's ASGI application: from a path to an answer in the caller's own format.

In order: endpoint, client, body, route, exchange (which admits the request and chooses its targets), record. The client
is identified before its body is read, so that a stranger cannot make the gateway store one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Final

from claude_gateway.contract.target import Format, Wire
from claude_gateway.names import HEADER_GATEWAY_CLIENT, INTERNAL_HEADER_PREFIX
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.admission.load import Held, Load
from claude_gateway_proxy.gateway.asgi import check_transfer_coding, read_body
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches.asking import Asking
from claude_gateway_proxy.gateway.batches.batches import Batches
from claude_gateway_proxy.gateway.body.encodings import content_encoding, decompressed
from claude_gateway_proxy.gateway.body.facts import SESSION_HEADER, Facts
from claude_gateway_proxy.gateway.caching.cache import ResponseCache
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.discovery.discovery import Discovery
from claude_gateway_proxy.gateway.exchange import Exchange
from claude_gateway_proxy.gateway.mirrors.mirror import Mirrors
from claude_gateway_proxy.gateway.records import Records
from claude_gateway_proxy.gateway.routing.choice import find_route
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, UNKNOWN, Record
from claude_gateway_proxy.gateway.telemetry.uses import Uses
from claude_gateway_proxy.gateway.wire.framed import FramedSend
from claude_gateway_proxy.gateway.wire.paths import BatchPath, ModelPath, batch_path, model_path
from claude_gateway_proxy.gateway.wire.reframe import read_body as read_wire_body
from claude_gateway_runtime.asgi import ClientGone, Receive, Scope, Send, send_whole
from claude_gateway_runtime.follower import Follower
from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger(__name__)

_CLIENT: Final = HEADER_GATEWAY_CLIENT.encode()
_BATCHED: Final = ModelPath(Wire.ANTHROPIC, Format.MESSAGES)
"""The format under which the record counts a request about a batch."""
_UPGRADE: Final = f"{INTERNAL_HEADER_PREFIX}upgrade".encode()


class App:
    """Answers every request of the public listeners; ``uses`` knows when each client was last used."""

    def __init__(
        self,
        *,
        live: Follower[Snapshot],
        exchange: Exchange,
        batches: Batches,
        issuers: Issuers,
        records: Records,
        discovery: Discovery,
        load: Load,
        max_body_bytes: int,
        body_seconds: float,
        verify_signatures: bool = True,
        responses: ResponseCache | None = None,
    ) -> None:
        """Serve the configuration of ``live``; ``discovery`` answers requests that are not for a model.

        ``issuers`` has the keys that verify tokens. ``verify_signatures``: check AWS signatures, rather than only take
        the client key from them. ``responses`` caches answers of the routes that enable it.
        """
        self.draining = False
        self.uses = Uses(time.time)
        self._live = live
        self._exchange = exchange
        self._batches = batches
        self._issuers = issuers
        self._records = records
        self._discovery = discovery
        self._load = load
        self._limit = max_body_bytes
        self._body_seconds = body_seconds
        self._verify_signatures = verify_signatures
        self._responses = responses
        self._mirrors = Mirrors(exchange.answer, busy=lambda: self.draining or load.busy, compared=records.compared)

    @property
    def in_flight(self) -> int:
        """How many model requests are being answered."""
        return len(self._records.running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = model_path(scope["path"], scope["raw_path"])
        if path is not None:
            record = self._records.begin(path)
            answering = self._answer(path, record, scope, receive, send)
        elif (about := batch_path(scope["raw_path"])) is not None:
            record = self._records.begin(_BATCHED)
            answering = self._answer_batch(about, record, scope, receive, send)
        else:
            snapshot = self._live.current
            await self._discovery.answer(scope, receive, send, snapshot=snapshot, draining=self.draining)
            return
        try:
            await self._guarded(answering, record, scope, send)
        finally:
            self._records.end(record)

    async def _guarded(self, answering: Awaitable[None], record: Record, scope: Scope, send: Send) -> None:
        """Answer, and turn every error into what the caller and the record should see."""
        try:
            await answering
        except errors.Failure as failure:
            await self._refuse(record, failure, scope, send)
        except ClientGone:
            record.status, record.outcome = record.status or CLIENT_GONE, outcome(By.CLIENT)
        except asyncio.CancelledError:
            record.status, record.outcome = record.status or CLIENT_GONE, outcome(By.CLIENT)
            raise
        except Exception as error:
            unexpected(_log, "request_failed", error, request_id=record.request_id)
            record.outcome = outcome(By.BUG)
            if record.status == 0:
                await self._refuse(record, errors.internal(), scope, send)

    async def _answer(self, path: ModelPath, record: Record, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            if _wants_websocket(scope):
                raise errors.no_websocket()
            raise errors.wrong_method(scope["method"], "POST")
        headers = dict(scope["headers"])
        snapshot, principal = await self._identified(headers, record, scope)
        client = principal.client
        with self._load.enter(client.name) as held:
            raw = await self._read(headers, record, scope, receive, held=held)
            body = read_wire_body(raw, path)
            record.model, record.stream = body.model, body.stream
            route = find_route(snapshot.routing, model=body.model, client=client)
            record.route = route.name
            frames = FramedSend(send, format=path.format) if path.wire is Wire.BEDROCK else None
            # Only after the signature was checked, because it may cover these headers.
            scope["headers"] = self._records.trace(record, scope["headers"])
            call = Call(
                wire=record.wire,
                format=record.format,
                path=scope["path"],
                query=scope["query_string"],
                headers=scope["headers"],
                login=snapshot.callers.own_login(scope["headers"]),
                raw=raw,
                facts=Facts(body, scope["headers"]),
                frames=frames,
                snapshot=snapshot,
                principal=principal,
                route=route,
                record=record,
            )
            out = self._records.listen(call, send if frames is None else frames)
            ask = self._exchange.answer if route.mirror is None else self._mirrors.answer
            if route.cache is None or self._responses is None:
                await ask(call, receive, out)
            else:
                await self._responses.answer(call, receive, out, ask=ask)

    async def _answer_batch(self, path: BatchPath, record: Record, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        snapshot, principal = await self._identified(headers, record, scope)
        with self._load.enter(principal.client.name) as held:
            raw = await self._read(headers, record, scope, receive, held=held)
            # A batch is also in memory in the form that is sent: in parts, and as a whole.
            held.take(2 * len(raw))
            scope["headers"] = self._records.trace(record, scope["headers"])
            asking = Asking(
                path=scope["path"],
                query=scope["query_string"],
                headers=scope["headers"],
                login=snapshot.callers.own_login(scope["headers"]),
                raw=raw,
                snapshot=snapshot,
                principal=principal,
                record=record,
            )
            await self._batches.answer(path, scope["method"], asking, receive, send)

    async def _identified(
        self, headers: Mapping[bytes, bytes], record: Record, scope: Scope
    ) -> tuple[Snapshot, Principal]:
        """Return the configuration for a request, and its authenticated caller. Raises Failure."""
        snapshot = self._live.current
        if snapshot is None:
            raise errors.not_ready("no configuration was loaded yet")
        record.session = headers.get(SESSION_HEADER, b"").decode("latin-1")
        principal = await snapshot.callers.identify(headers, self._issuers, shown=presented(scope))
        client = principal.client
        record.client = client.name
        self.uses.note(client.name)
        record.user, record.team, record.proof = principal.user, principal.team, principal.proof.value
        if client.suspended:
            raise errors.client_suspended()
        return snapshot, principal

    async def _read(
        self, headers: Mapping[bytes, bytes], record: Record, scope: Scope, receive: Receive, *, held: Held
    ) -> bytes:
        """Read the body, checked as it was sent and decompressed; ``scope`` then describes it as it is."""
        if b"transfer-encoding" in headers:
            check_transfer_coding(scope["headers"])
        encoding = content_encoding(headers.get(b"content-encoding"))
        size = int(headers.get(b"content-length", b"0"))
        if size > self._limit:
            raise errors.body_too_large(self._limit)
        held.check(size)
        raw = await read_body(receive, limit=self._limit, seconds=self._body_seconds, take=held.take)
        record.bytes_in = len(raw)
        if self._verify_signatures:
            sigv4.check(scope, raw)
        if encoding is None:
            return raw
        raw = await decompressed(raw, encoding, limit=self._limit)
        held.take(len(raw))
        scope["headers"] = [header for header in scope["headers"] if header[0] != b"content-encoding"]
        return raw

    async def _refuse(self, record: Record, failure: errors.Failure, scope: Scope, send: Send) -> None:
        status, headers, body = errors.render(failure, shape=record.wire, request_id=record.request_id)
        if any(name == b"expect" for name, _ in scope["headers"]):
            # A client that still waits for "100 Continue" may or may not send its body now, so the body could not be
            # told from the next request.
            headers.append((b"connection", b"close"))
        if record.client != UNKNOWN:
            headers.append((_CLIENT, record.client.encode()))
        record.status, record.bytes_out, record.error = status, len(body), failure.message
        if record.outcome == "ok":
            record.outcome = outcome(By.GATEWAY, status=status)
        await send_whole(send, status=status, headers=headers, body=body)

    async def close(self) -> None:
        """Cancel the gateway's own requests; the clients' responses have ended before."""
        await self._mirrors.close()
        await self._batches.close()
        if self._responses is not None:
            await self._responses.close()


def _wants_websocket(scope: Scope) -> bool:
    """Whether a request would open a WebSocket; the server has renamed the header that requests it."""
    return any(name == _UPGRADE and value.strip().lower() == b"websocket" for name, value in scope["headers"])
