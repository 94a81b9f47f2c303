"""One try at one target: from sending the request to the point where its answer is worth passing on."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

from claude_gateway.contract.policy import Format, Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure, Relayed
from claude_gateway_proxy.gateway.lanes.relay.renewed import IdentityError
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.gateway.upstream.session import AddressRefused
from claude_gateway_proxy.gateway.wire import bedrock, sse
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

WHOLE_LIMIT: Final = 1024 * 1024
"""Bytes up to which an answer that is not streamed is taken in whole before anything is sent."""

_CREDENTIAL: Final = frozenset({401, 403})
_KINDS: Final = {
    408: UpstreamError.STATUS,
    429: UpstreamError.RATE_LIMITED,
    503: UpstreamError.OVERLOADED,
    529: UpstreamError.OVERLOADED,
}
_ABSENT: Final = frozenset({404, 405, 501})
_BUSY: Final = frozenset({UpstreamError.RATE_LIMITED, UpstreamError.OVERLOADED})

Read = Callable[[], Awaitable[bytes]]


class Missed(Exception):  # noqa: N818 - one try, not the request
    """A target gave no answer. ``reply`` is what the caller gets if nothing else is tried.

    ``kind`` is None where the fault is the request's own; ``retry`` says whether another target may do better.
    """

    def __init__(self, reply: Failure | Relayed, *, kind: UpstreamError | None, retry: bool) -> None:
        super().__init__(kind)
        self.reply = reply
        self.kind = kind
        self.retry = retry

    @property
    def uncounted(self) -> bool:
        """Whether the target says that it has no way to count tokens, if that was asked for."""
        return isinstance(self.reply, Relayed) and self.reply.status in _ABSENT

    def outweighs(self, earlier: "Missed") -> bool:
        """Whether this is what the caller should hear rather than an ``earlier`` miss of the same request."""
        return earlier.kind not in _BUSY or self.kind in _BUSY or self.kind is None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has begun. ``head`` is what came so far, ``complete`` tells whether that is all of it.

    ``headers`` are the upstream's, ``read`` gives the next bytes, none at the end: on a Claude wire both as Messages
    have them, whatever frames they came in. ``events``: it is read as server-sent events. ``plain``: it is not
    compressed, so that it can be read at all.
    """

    response: aiohttp.ClientResponse
    headers: Headers
    read: Read
    head: bytes
    complete: bool
    streamed: bool
    events: bool
    plain: bool


async def begin(
    sending: Awaitable[aiohttp.ClientResponse], *, call: Call, down: Failure, wire: Wire, hold: bool, ours: bool
) -> Answer:
    """Await the head and the first bytes of an answer; ``hold`` looks on until the model has said something.

    ``wire`` is the answer's; ``ours``: it is the gateway's credential that the upstream sees. Raises Missed; ``down``
    is the reply where there is no connection. The caller closes ``Answer.response``.
    """
    try:
        response = await sending
    except AddressRefused:
        failure = errors.address_refused(call.route.name)
        raise Missed(failure, kind=UpstreamError.ADDRESS, retry=True) from None
    except IdentityError as error:
        emit(_log, "identity_missing", level=logging.WARNING, target=call.record.target, error=str(error))
        failure = errors.identity_missing(call.route.name)
        raise Missed(failure, kind=UpstreamError.CREDENTIAL, retry=True) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # The caller learns that there is no connection; why not (a name, a certificate) is for the gateway's owner.
        emit(_log, "upstream_unreachable", level=logging.WARNING, target=call.record.target, error=_reason(error))
        raise Missed(down, kind=UpstreamError.CONNECT, retry=True) from None
    try:
        if 200 <= response.status < 300:
            return await _first_bytes(response, call=call, wire=wire, hold=hold)
        missed = await _refusal(response, call, ours=ours)
    except (aiohttp.ClientError, OSError):
        response.close()
        raise Missed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True) from None
    except BaseException:
        response.close()
        raise
    response.close()
    raise missed


async def _first_bytes(response: aiohttp.ClientResponse, *, call: Call, wire: Wire, hold: bool) -> Answer:
    plain = response.headers.get("content-encoding", "identity").lower() == "identity"
    events = response.headers.get("content-type", "").startswith("text/event-stream")
    headers: Headers = response.raw_headers
    read: Read = response.content.readany
    if wire is Wire.BEDROCK and plain and bedrock.is_stream(headers):
        headers, read, events = bedrock.stream_headers(headers), bedrock.events(read, call.frames), True
    streamed = events or call.body.stream
    head = await read()
    if not head:
        raise Missed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True)
    complete = False
    if not streamed:
        head, complete = await _gather(read, head)
        if wire is Wire.BEDROCK and call.frames is None and call.format is Format.COUNT_TOKENS:
            head = bedrock.count(head)
    elif hold and events and plain:
        head = await _hold(read, head, call)
    return Answer(
        response,
        headers=headers,
        read=read,
        head=head,
        complete=complete,
        streamed=streamed,
        events=events,
        plain=plain,
    )


async def _gather(read: Read, head: bytes) -> tuple[bytes, bool]:
    """Read on to the end or the limit, so that an answer that breaks off can still come from another target."""
    parts, size = [head], len(head)
    while size < WHOLE_LIMIT:
        chunk = await read()
        if not chunk:
            return b"".join(parts), True
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts), False


async def _hold(read: Read, head: bytes, call: Call) -> bytes:
    """Read on until the model has said something: an overloaded upstream may say so only within its stream."""
    while (verdict := sse.opening(head)) is sse.Opening.UNDECIDED:
        chunk = await read()
        if not chunk:
            break
        head += chunk
    if isinstance(verdict, int):
        failure = errors.upstream_error(call.route.name, verdict)
        raise Missed(failure, kind=_KINDS.get(verdict, UpstreamError.STATUS), retry=True)
    return head


async def _refusal(response: aiohttp.ClientResponse, call: Call, *, ours: bool) -> Missed:
    """What an answer that is no success means for the caller and for the next target."""
    route, status = call.route.name, response.status
    if status in _CREDENTIAL and ours:
        return Missed(errors.upstream_refused_key(route), kind=UpstreamError.CREDENTIAL, retry=True)
    if 300 <= status < 400:
        return Missed(errors.upstream_redirected(route), kind=UpstreamError.REDIRECT, retry=True)
    if not 400 <= status < 600:
        return Missed(errors.stream_broken(route), kind=UpstreamError.BROKEN, retry=True)
    retry = status in (408, 429) or status >= 500
    # What an upstream does not have (501) is not missing because it failed; another target may have it.
    kind = _KINDS.get(status, UpstreamError.STATUS) if retry and status != 501 else None
    body, complete = await _gather(response.content.readany, await response.content.readany())
    # What is too large for an error's wording is a page, and is told as such.
    reply = Relayed(status, headers=tuple(response.raw_headers), body=body if complete else b"")
    return Missed(reply, kind=kind, retry=retry)


def _reason(error: Exception) -> str:
    """Why there was no answer, without the library's full text: that of a proxy's error has the proxy's password."""
    kind = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{kind}: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{kind}: status {error.status}"
    return f"{kind}: {error.strerror}" if isinstance(error, OSError) and error.strerror else kind
