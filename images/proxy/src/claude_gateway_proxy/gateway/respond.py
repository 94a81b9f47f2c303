"""Sends answers to the client: an upstream's byte for byte, reading its usage on the way; its error; or an estimate."""

import asyncio
import time
from typing import Final

from claude_gateway.contract.target import Target
from claude_gateway.names import HEADER_GATEWAY_CLIENT
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.body import estimate
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs.cost import Passed, charge
from claude_gateway_proxy.gateway.deadline import Cause, Deadline, Ended
from claude_gateway_proxy.gateway.errors import Relayed
from claude_gateway_proxy.gateway.passage import Passage
from claude_gateway_proxy.gateway.pings import Pings
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import Record, UpstreamError
from claude_gateway_proxy.gateway.wire import usage
from claude_gateway_proxy.gateway.wire.error_events import without_keys
from claude_gateway_proxy.gateway.wire.headers import response_headers, upstream_request_id
from claude_gateway_proxy.gateway.wire.sse import Boundary
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.asgi import Headers, Send

_CLIENT: Final = HEADER_GATEWAY_CLIENT.encode()
_LIMITS: Final = b"anthropic-ratelimit-"
_ESTIMATED: Final = (b"x-token-count", b"estimate")
_AT_ONCE: Final = 256 * 1024
"""The largest request whose tokens are estimated on the event loop, which takes some milliseconds."""


async def respond_error(reply: Relayed, *, call: Call, send: Send, more: Headers = ()) -> None:
    """Send an upstream's own error, in the caller's envelope and with ``more`` headers."""
    record = call.record
    record.outcome = outcome(By.REPLY, status=reply.status)
    record.request_id = upstream_request_id(reply.headers) or record.request_id
    shown = errors.relayed(reply, shape=call.wire, route=call.route.name, request_id=record.request_id)
    await send_start(send, record, status=shown.status, headers=shown.headers, length=len(shown.body), more=more)
    await _send_last(send, record, shown.body)


async def respond_estimate(call: Call, send: Send, *, more: Headers = ()) -> None:
    """Send an estimate of a request's tokens, marked as one, with ``more`` headers."""
    body = call.body.raw
    few = len(body) <= _AT_ONCE
    tokens = estimate.tokens(body) if few else await asyncio.to_thread(estimate.tokens, body)
    answer = b'{"input_tokens":%d}' % tokens
    headers = [(b"content-type", b"application/json"), _ESTIMATED]
    await send_start(send, call.record, status=200, headers=headers, length=len(answer), more=more)
    await _send_last(send, call.record, answer)


async def respond_answer(
    answer: Answer, *, call: Call, send: Send, deadline: Deadline, ping_seconds: float, more: Headers = ()
) -> None:
    """Send an upstream's answer; if it breaks off, end it with an error event or a broken connection.

    ``ping_seconds`` is the silence of a stream after which the client gets a ping, 0 for none; ``more`` are headers of
    the gateway's own. Raises Ended if the client disconnected.
    """
    record = call.record
    response = answer.response
    record.first_byte = time.monotonic()
    if answer.complete:
        body = without_keys(answer.head, answer.mask) if answer.plain else answer.head
        if answer.plain:
            usage.read(record, answer.head)
        charge(call, answer.target, Passed(sample=(answer.head,), size=len(body), ended=True, streamed=False))
        await send_start(send, record, status=response.status, headers=answer.headers, length=len(body), more=more)
        await _send_last(send, record, body)
        return
    length = None if answer.streamed else response.content_length
    if length is not None:
        length = None if answer.added is None else length + answer.added
    await send_start(send, record, status=response.status, headers=answer.headers, length=length, more=more)
    boundary = Boundary()
    pings = Pings(send, record=record, boundary=boundary)
    if ping_seconds and answer.events and answer.plain:
        deadline.beat(ping_seconds, pings.beat)
    passage = Passage(answer, record, send=send, deadline=deadline, boundary=boundary, pings=pings)
    try:
        with deadline:
            await passage.run()
        if passage.failed:
            _failed(record, answer.target, UpstreamError.STATUS)
    except Ended as ended:
        if ended.cause is Cause.GONE:
            raise
        pings.stop()
        await _end_stalled(ended.cause, answer, call=call, send=send, boundary=boundary)
    except OSError:
        # No error event: Claude Code streams again after a broken connection, but after an error event it retries once
        # without streaming, which is worse for a long answer. Returning without the end of the body makes the server
        # close the connection.
        _failed(record, answer.target, UpstreamError.BROKEN)
    finally:
        pings.stop()
        charge(call, answer.target, passage.passed)


async def _end_stalled(cause: Cause, answer: Answer, *, call: Call, send: Send, boundary: Boundary) -> None:
    """End a stalled stream with an error event, unless the upstream stopped in the middle of an event."""
    timeouts = call.route.timeouts
    _failed(call.record, answer.target, UpstreamError.STALLED)
    if not (answer.events and answer.plain and boundary.clean):
        return
    failure = errors.stream_stalled(call.route.name, timeouts.idle if cause is Cause.SILENT else timeouts.total)
    event = OPERATIONS[call.format].error_event(failure, request_id=call.record.request_id)
    await _send_last(send, call.record, event)


def _failed(record: Record, target: Target, kind: UpstreamError) -> None:
    record.upstream_failed(target=target.id, provider=target.provider, kind=kind)
    record.outcome = outcome(By.UPSTREAM, kind=kind)


async def send_start(
    send: Send, record: Record, *, status: int, headers: Headers, length: int | None, more: Headers
) -> None:
    """Send the head of an answer: those ``headers`` of an upstream that may pass, and ``more`` of the gateway's own."""
    record.request_id = upstream_request_id(headers) or record.request_id
    record.status = status
    found = response_headers(headers, request_id=record.request_id, length=length)
    found.append((_CLIENT, record.client.encode()))
    if any(name.startswith(_LIMITS) for name, _ in more):
        # The gateway's headers about the caller's budget must not be mixed with the upstream's about all callers.
        found = [header for header in found if not header[0].startswith(_LIMITS)]
    found.extend(more)
    await send({"type": "http.response.start", "status": status, "headers": found})


async def _send_last(send: Send, record: Record, body: bytes) -> None:
    record.bytes_out += len(body)
    await send({"type": "http.response.body", "body": body, "more_body": False})
