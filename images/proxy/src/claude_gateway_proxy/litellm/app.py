"""The worker's endpoints: six formats for the gateway, and its own state for the agent."""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from claude_gateway.contract.policy import Format
from claude_gateway.names import HEADER_MODEL, HEADER_TARGET
from claude_gateway_proxy.litellm import effort, errors, fields, stream
from claude_gateway_proxy.litellm.answer import document
from claude_gateway_proxy.litellm.asgi import JSON, TEXT, ClientGone, Receive, Scope, Send, gone, read_body, send_whole
from claude_gateway_proxy.litellm.call import call
from claude_gateway_proxy.litellm.errors import Failure
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.litellm.guard import dialled
from claude_gateway_proxy.litellm.library import Library
from claude_gateway_proxy.litellm.live import Live
from claude_gateway_proxy.litellm.metrics import CONTENT_TYPE, Metrics
from claude_gateway_proxy.litellm.targets import ModelRefused, Target
from claude_gateway_proxy.logs import emit

_log: Final = logging.getLogger(__name__)

FORMATS: Final = {
    "/v1/messages": Format.MESSAGES,
    "/v1/messages/count_tokens": Format.COUNT_TOKENS,
    "/v1/chat/completions": Format.CHAT,
    "/v1/completions": Format.COMPLETIONS,
    "/v1/responses": Format.RESPONSES,
    "/v1/embeddings": Format.EMBEDDINGS,
}
_THOUGHTLESS_MOST: Final = 10_000
"""Targets that are remembered as not to be told how much to think."""

_TARGET: Final = HEADER_TARGET.encode()
_MODEL: Final = HEADER_MODEL.encode()
_EVENTS: Final = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class App:
    """Answers one request after the other; the socket's file mode says who may ask."""

    def __init__(self, *, live: Live, library: Library) -> None:
        """Take targets from ``live`` and LiteLLM from ``library``."""
        self._live = live
        self._library = library
        self._thoughtless: set[str] = set()
        self.in_flight = 0
        self.metrics = Metrics(in_flight=lambda: self.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        format = FORMATS.get(path)  # noqa: A001 - our word for it
        if format is None or scope["method"] != "POST":
            await self._answer_about_itself(path, send)
            return
        self.in_flight += 1
        try:
            await self._answer(scope, receive, send, format)
        except ClientGone:
            pass
        finally:
            self.in_flight -= 1

    async def _answer_about_itself(self, path: str, send: Send) -> None:
        if path == "/status":
            body = self._live.report(in_flight=self.in_flight).model_dump_json(by_alias=True).encode()
            await send_whole(send, status=200, kind=JSON, body=body)
        elif path == "/metrics":
            await send_whole(send, status=200, kind=CONTENT_TYPE, body=self.metrics.text())
        elif path == "/healthz":
            await send_whole(send, status=200, kind=TEXT, body=b"ok\n")
        else:
            await _send_failure(send, errors.unknown_path(path), Format.CHAT)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, format: Format) -> None:  # noqa: A002
        """Run the work until it is done or the caller leaves, whichever comes first."""
        headers = dict(scope["headers"])
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

    async def _work(self, headers: dict[bytes, bytes], body: bytes, send: Send, format: Format) -> None:  # noqa: A002
        try:
            wanted = fields.read(body, format=format)
            target, model = await self._target(headers)
        except Failure as failure:
            await _send_failure(send, failure, format)
            return
        dialled.set(target.dial)
        try:
            answer = await self._call(target, model=model, format=format, wanted=wanted)
            if wanted.get("stream"):
                usage = bool(wanted.get("stream_options", {}).get("include_usage"))
                await _send_stream(send, answer, format=format, usage=usage, target=target)
                return
            encoded = msgspec.json.encode(document(answer, format=format))
        except Exception as error:  # LiteLLM raises anything
            await _send_failure(send, _failure(error, target=target, format=format), format)
            return
        await send_whole(send, status=200, kind=JSON, body=encoded)

    async def _call(self, target: Target, *, model: str, format: Format, wanted: Json) -> Any:  # noqa: A002
        library = await self._library.get()
        plain = effort.without(wanted)
        if plain is wanted or target.id in self._thoughtless:
            return await call(library, target, model=model, format=format, fields=plain)
        try:
            return await call(library, target, model=model, format=format, fields=wanted)
        except Exception as error:  # LiteLLM raises anything
            failure = _failure(error, target=target, format=format)
            if not effort.is_refused(failure):
                raise failure from None
        answer = await call(library, target, model=model, format=format, fields=plain)
        if len(self._thoughtless) < _THOUGHTLESS_MOST:
            self._thoughtless.add(target.id)
        return answer

    async def _target(self, headers: dict[bytes, bytes]) -> tuple[Target, str]:
        ident = headers.get(_TARGET, b"").decode("latin-1")
        target = await self._live.target(ident)
        if target is None:
            raise errors.unknown_target(ident)
        try:
            return target, target.resolved(headers.get(_MODEL, b"").decode("latin-1"))
        except ModelRefused as error:
            raise errors.bad_request(str(error)) from None


async def _send_stream(send: Send, answer: Any, *, format: Format, usage: bool, target: Target) -> None:  # noqa: A002
    """Send a stream, its head only once the model has said something; raises only while nothing was sent."""
    written = stream.events(aiter(answer), format=format, usage=usage, target=target)
    try:
        head = await _opening(written)
        if not head:
            raise errors.empty_answer()
        await send({"type": "http.response.start", "status": 200, "headers": list(_EVENTS)})
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
    format: Format,  # noqa: A002
    target: Target,
) -> None:
    await send({"type": "http.response.body", "body": head, "more_body": True})
    last = b""
    try:
        async for event in written:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    except Exception as error:  # LiteLLM raises anything
        last = stream.error_event(_failure(error, target=target, format=format), format=format)
    await send({"type": "http.response.body", "body": last, "more_body": False})


async def _close(*streams: Any) -> None:
    """Close what is not read to its end, so that the upstream's connection ends with it."""
    for each in streams:
        close = getattr(each, "aclose", None)
        if close is not None:
            # What fails at closing was broken already.
            with contextlib.suppress(Exception):
                await close()


def _failure(error: Exception, *, target: Target, format: Format) -> Failure:  # noqa: A002
    failure = error if isinstance(error, Failure) else errors.of_exception(error, target=target, format=format)
    if failure.code == "internal_error":
        # Where it happened, without the exception's words: they may hold content or a key.
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        where = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno}" for frame in frames]
        emit(_log, "call_failed", level=logging.ERROR, target=target.id, error=type(error).__name__, at=where)
    return failure


async def _send_failure(send: Send, failure: Failure, format: Format) -> None:  # noqa: A002
    headers: list[tuple[bytes, bytes]] = []
    if failure.retry is not None:
        headers.append((b"x-should-retry", b"true" if failure.retry else b"false"))
    if failure.retry_after is not None:
        headers.append((b"retry-after", failure.retry_after.encode()))
    body = errors.envelope(failure, format=format)
    await send_whole(send, status=failure.status, kind=JSON, body=body, headers=headers)
