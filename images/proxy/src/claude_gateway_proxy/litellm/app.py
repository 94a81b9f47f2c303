"""The worker's endpoints: six formats for the gateway, and its own state for the agent."""

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway.names import HEADER_MODEL, HEADER_TARGET, HEADER_TOKEN
from claude_gateway_proxy.litellm import errors, fields, messages, openai_fields, schemas, stream
from claude_gateway_proxy.litellm.answer import document, upstream_id
from claude_gateway_proxy.litellm.call import call, translated
from claude_gateway_proxy.litellm.content import check_content
from claude_gateway_proxy.litellm.exceptions import of_exception, param_of, unrepaired
from claude_gateway_proxy.litellm.guard import dialled
from claude_gateway_proxy.litellm.library import Library
from claude_gateway_proxy.litellm.live import Live
from claude_gateway_proxy.litellm.metrics import CONTENT_TYPE, Metrics
from claude_gateway_proxy.litellm.regular import AnswerContext, answer_context
from claude_gateway_proxy.litellm.targets import ModelRefused, Target
from claude_gateway_proxy.litellm.tools import check_tools
from claude_gateway_proxy.litellm.tracing import trace_of, traced
from claude_gateway_proxy.litellm.unsupported import check_fields, check_strict
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.repair_log import learn
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.messages.options import RequestOptions, request_options
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import TRIES_MOST, Model, Repairs
from claude_gateway_proxy.translation.schema.unfolding import Budget
from claude_gateway_runtime.asgi import (
    JSON,
    TEXT,
    ClientGone,
    Receive,
    Scope,
    Send,
    gone,
    read_body,
    send_document,
)
from claude_gateway_runtime.failure import Failure
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

FORMATS: Final = {f"/v1{each.path}": each.format for each in OPERATIONS.values()}
_TARGET: Final = HEADER_TARGET.encode()
_MODEL: Final = HEADER_MODEL.encode()
_TOKEN: Final = HEADER_TOKEN.encode()
_REQUEST_ID: Final = b"x-request-id"
_EVENTS: Final = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class BrokenOff(Exception):  # noqa: N818 - the end of an answer, which the server must see
    """An answer broke off, so its connection must be closed."""


class App:
    """Answers requests of the gateway; the socket's file mode controls who may connect."""

    def __init__(self, *, live: Live, library: Library) -> None:
        """Take targets from ``live`` and LiteLLM from ``library``."""
        self._live = live
        self._library = library
        self._repairs = Repairs(clock=time.monotonic)
        self.in_flight = 0
        self.metrics = Metrics(in_flight=lambda: self.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        format = FORMATS.get(path)
        if format is None or scope["method"] != "POST":
            await self._answer_about_itself(path, send)
            return
        self.in_flight += 1
        try:
            await self._answer(scope, receive, send, format)
        except (ClientGone, BrokenOff):
            # Without the end of the body, the server closes the connection.
            pass
        finally:
            self.in_flight -= 1

    async def _answer_about_itself(self, path: str, send: Send) -> None:
        if path == "/status":
            body = self._live.report(in_flight=self.in_flight).model_dump_json(by_alias=True).encode()
            await send_document(send, status=200, kind=JSON, body=body)
        elif path == "/metrics":
            await send_document(send, status=200, kind=CONTENT_TYPE, body=self.metrics.text())
        elif path == "/healthz":
            await send_document(send, status=200, kind=TEXT, body=b"ok\n")
        else:
            await _send_failure(send, errors.unknown_path(path), Format.CHAT, request_id=None)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, format: Format) -> None:
        """Run the work until it is done or the caller disconnects, whichever comes first."""
        headers = dict(scope["headers"])
        traced.set(trace_of(scope["headers"]))
        body = await read_body(receive)
        work = asyncio.create_task(self._work(headers, body, send, format))
        leaving = asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def _work(self, headers: dict[bytes, bytes], body: bytes, send: Send, format: Format) -> None:
        request_id = headers.get(_REQUEST_ID, b"").decode("latin-1") or None
        try:
            wanted = fields.read(body, format=format)
            target, model = await self._target(headers)
            wanted = openai_fields.plain(wanted, format=format, provider=target.provider)
            check_tools(wanted, format=format, provider=target.provider)
            check_content(wanted, format=format, provider=target.provider)
        except Failure as failure:
            await _send_failure(send, failure, format, request_id=request_id)
            return
        dialled.set(target.dial)
        schemas.budget.set(Budget(len(body)))
        name = model.partition("/")[2]
        options = request_options(wanted, model=name) if fields.FIELDS[format].dialect else None
        answer_context.set(AnswerContext(choices=wanted.get("n"), options=options))
        try:
            answer = await self._call(target, model=model, format=format, wanted=wanted, options=options)
            if wanted.get("stream"):
                written = _written(answer, options=options, format=format, wanted=wanted, target=target)
                await _send_stream(send, answer, written, format=format, target=target)
                return
            if options is not None and format is Format.MESSAGES:
                encoded = msgspec.json.encode(messages.message(answer, options=options, target=target))
            else:
                encoded = msgspec.json.encode(document(answer, format=format, wanted=wanted))
        except Exception as error:  # LiteLLM raises anything
            failed = _failure(error, target=target, format=format)
            await _send_failure(send, failed, format, request_id=request_id)
            return
        await send_document(send, status=200, kind=JSON, body=encoded, headers=_request_id(upstream_id(answer)))

    async def _call(
        self,
        target: Target,
        *,
        model: str,
        format: Format,
        wanted: Document,
        options: RequestOptions | None,
    ) -> Any:
        """Return LiteLLM's answer. Optional parts that a target refuses are left out in one retry."""
        library = await self._library.get()
        if options is None:
            check_fields(library, wanted, format=format, provider=target.provider, model=model)
        check_strict(wanted, format=format, provider=target.provider, model=model)
        repaired = Model(target.id, model, worded=options is not None)
        asked, translation = translated(wanted, format=format, options=options, target=target)
        fields, names = self._repairs.known(repaired, translation)
        for name in names:
            self.metrics.repaired(name, cause="known")
        refused: list[tuple[Refusal, str]] = []
        while True:
            try:
                answer = await call(library, target, model=model, format=asked, fields=fields, options=options)
                break
            except Exception as error:  # LiteLLM raises anything
                failure = _failure(error, target=target, format=format)
                refusal = Refusal(failure.status, failure.message, param_of(error))
                changed = self._repairs.after(repaired, refusal, fields)
                if changed is None or len(refused) == TRIES_MOST:
                    raise unrepaired(failure, format=format) from None
                fields, name = changed
                self.metrics.repaired(name, cause="refused")
                refused.append((refusal, name))
        await learn(self._repairs, repaired, refused, request=translation)
        return answer

    async def _target(self, headers: dict[bytes, bytes]) -> tuple[Target, str]:
        ident = headers.get(_TARGET, b"").decode("latin-1")
        target = await self._live.target(ident)
        if target is None:
            raise errors.unknown_target(ident)
        token = headers.get(_TOKEN)
        target = target.spending(None if token is None else token.decode("latin-1"))
        try:
            return target, target.resolved(headers.get(_MODEL, b"").decode("latin-1"))
        except ModelRefused as error:
            raise errors.bad_request(str(error)) from None


def _written(
    answer: Any,
    *,
    options: RequestOptions | None,
    format: Format,
    wanted: Document,
    target: Target,
) -> AsyncIterator[bytes]:
    if options is not None:
        return messages.events(aiter(answer), options=options, target=target)
    return stream.events(aiter(answer), format=format, wanted=wanted, target=target)


async def _send_stream(
    send: Send,
    answer: Any,
    written: AsyncIterator[bytes],
    *,
    format: Format,
    target: Target,
) -> None:
    """Send a stream, its head only after the model has produced output; raises only before anything was sent."""
    try:
        head = await _opening(written)
        if not head:
            raise errors.empty_answer()
        headers = [*_EVENTS, *_request_id(upstream_id(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send_events(send, head, written, format=format, target=target)
    finally:
        await _close(written, answer)


async def _opening(written: AsyncIterator[bytes]) -> bytes:
    parts: list[bytes] = []
    async for event in written:
        parts.append(event)
        if not stream.is_prelude(event):
            break
    return b"".join(parts)


async def _send_events(
    send: Send,
    head: bytes,
    written: AsyncIterator[bytes],
    *,
    format: Format,
    target: Target,
) -> None:
    await send({"type": "http.response.body", "body": head, "more_body": True})
    last = b""
    try:
        async for event in written:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    except Exception as error:  # LiteLLM raises anything
        failure = _failure(error, target=target, format=format)
        if failure.code in (errors.UNREACHABLE, errors.BROKEN):
            # As in the relay lane: where the upstream's connection broke, the client's breaks too. Claude Code then
            # streams again, while after an error event it asks for the whole answer in one piece, which for a long
            # one is the worse of the two. What the upstream itself says within its stream goes on as an event.
            raise BrokenOff from None
        last = OPERATIONS[format].error_event(failure)
    await send({"type": "http.response.body", "body": last, "more_body": False})


async def _close(*streams: Any) -> None:
    """Close a stream that was not read to its end, so that the upstream's connection ends with it."""
    for each in streams:
        close = getattr(each, "aclose", None)
        if close is not None:
            # An error on closing means that it was broken already.
            with contextlib.suppress(Exception):
                await close()


def _failure(error: Exception, *, target: Target, format: Format) -> Failure:
    failure = error if isinstance(error, Failure) else of_exception(error, target=target, format=format)
    if failure.code == "internal_error":
        # Only the location is logged: the exception's message may contain content or a key.
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        where = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}" for frame in frames]
        emit(_log, "call_failed", level=logging.ERROR, target=target.id, error=type(error).__name__, at=where)
    return failure


async def _send_failure(
    send: Send,
    failure: Failure,
    format: Format,
    *,
    request_id: str | None,
) -> None:
    """Send a failure; ``request_id`` is the gateway's, for a failure that has none of the upstream's."""
    headers = [*failure.headers(), *_request_id(failure.request_id)]
    body = OPERATIONS[format].error_body(failure, request_id=request_id)
    await send_document(send, status=failure.status, kind=JSON, body=body, headers=headers)


def _request_id(ident: str | None) -> list[tuple[bytes, bytes]]:
    """The upstream's id of a request, which its vendor's support asks for."""
    return [] if ident is None else [(b"request-id", ident.encode())]
