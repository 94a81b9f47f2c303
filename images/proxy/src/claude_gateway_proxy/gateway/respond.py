"""Passes an answer that has begun on to the client, byte for byte, and reads its usage while it goes by."""

import asyncio
import time
from typing import Final

import aiohttp

from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.attempt import Answer
from claude_gateway_proxy.gateway.body import estimate
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.deadline import Cause, Ended, Watch
from claude_gateway_proxy.gateway.errors import Relayed
from claude_gateway_proxy.gateway.lanes.relay.headers import Headers, response_headers, upstream_request_id
from claude_gateway_proxy.gateway.pings import Pings
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import Record, UpstreamError
from claude_gateway_proxy.gateway.wire import usage
from claude_gateway_proxy.gateway.wire.sse import Boundary
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.asgi import Send

_ESTIMATED: Final = (b"x-token-count", b"estimate")
_AT_ONCE: Final = 256 * 1024
"""Bytes of a request up to which its tokens are estimated while other streams wait: some milliseconds."""


async def pass_error(reply: Relayed, *, call: Call, send: Send) -> None:
    """Send an upstream's own error, in the caller's envelope."""
    record = call.record
    record.outcome = outcome(By.REPLY, status=reply.status)
    record.request_id = upstream_request_id(reply.headers) or record.request_id
    told = errors.relayed(reply, shape=call.wire, route=call.route.name, request_id=record.request_id)
    await _start(send, record, status=told.status, headers=told.headers, length=len(told.body))
    await _last(send, record, told.body)


async def pass_estimate(call: Call, send: Send) -> None:
    """Send an estimate of a request's tokens, marked as one."""
    body = call.body.raw
    few = len(body) <= _AT_ONCE
    tokens = estimate.tokens(body) if few else await asyncio.to_thread(estimate.tokens, body)
    answer = b'{"input_tokens":%d}' % tokens
    headers = [(b"content-type", b"application/json"), _ESTIMATED]
    await _start(send, call.record, status=200, headers=headers, length=len(answer))
    await _last(send, call.record, answer)


async def pass_answer(answer: Answer, *, call: Call, send: Send, watch: Watch, ping_seconds: float) -> None:
    """Send an answer; where it breaks off, an error event or a broken connection tells the client.

    ``ping_seconds`` is the silence of a stream after which it gets a ping, 0 for none. Raises Ended when the client
    left.
    """
    record = call.record
    response = answer.response
    record.first_byte = time.monotonic()
    if answer.complete:
        await _start(send, record, status=response.status, headers=answer.headers, length=len(answer.head))
        await _last(send, record, answer.head)
        if answer.plain:
            usage.read(record, answer.head)
        return
    length = None if answer.streamed else response.content_length
    await _start(send, record, status=response.status, headers=answer.headers, length=length)
    boundary = Boundary()
    pings = Pings(send, record=record, boundary=boundary)
    if ping_seconds and answer.events and answer.plain:
        watch.beat(ping_seconds, pings.beat)
    try:
        with watch:
            await _pass_chunks(answer, record, send=send, watch=watch, boundary=boundary, pings=pings)
    except Ended as ended:
        if ended.cause is Cause.GONE:
            raise
        pings.stop()
        await _stalled(ended.cause, answer, call=call, send=send, boundary=boundary)
    except (aiohttp.ClientError, OSError):
        # No error event: Claude Code streams again after a broken connection, but after an error event it asks
        # once for an answer in one piece, which for a long answer is the worse of the two. Returning without
        # the end of the body makes the server close the connection.
        _failed(record, UpstreamError.BROKEN)
    finally:
        pings.stop()


async def _pass_chunks(
    answer: Answer, record: Record, *, send: Send, watch: Watch, boundary: Boundary, pings: Pings
) -> None:
    meter = usage.Meter(record, events=answer.events)
    chunk = answer.head or await answer.read()
    while chunk:
        watch.pause()
        if pings.task is not None:
            await pings.settled()
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        watch.resume()
        record.bytes_out += len(chunk)
        boundary.feed(chunk)
        if answer.plain:
            meter.feed(chunk)
        chunk = await answer.read()
    watch.pause()  # no more pings
    await pings.settled()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    if meter.failed:
        _failed(record, UpstreamError.STATUS)


async def _stalled(cause: Cause, answer: Answer, *, call: Call, send: Send, boundary: Boundary) -> None:
    """End a stream that stalled by an error event, unless the upstream stopped in the middle of an event."""
    timeouts = call.route.timeouts
    _failed(call.record, UpstreamError.STALLED)
    if not (answer.events and answer.plain and boundary.clean):
        return
    failure = errors.stream_stalled(call.route.name, timeouts.idle if cause is Cause.SILENT else timeouts.total)
    event = OPERATIONS[call.format].error_event(failure, request_id=call.record.request_id)
    await _last(send, call.record, event)


def _failed(record: Record, kind: UpstreamError) -> None:
    record.upstream_failed(target=record.target, provider=record.provider, kind=kind)
    record.outcome = outcome(By.UPSTREAM, kind=kind)


async def _start(send: Send, record: Record, *, status: int, headers: Headers, length: int | None) -> None:
    record.request_id = upstream_request_id(headers) or record.request_id
    record.status = status
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": response_headers(headers, request_id=record.request_id, length=length),
        }
    )


async def _last(send: Send, record: Record, body: bytes) -> None:
    record.bytes_out += len(body)
    await send({"type": "http.response.body", "body": body, "more_body": False})
