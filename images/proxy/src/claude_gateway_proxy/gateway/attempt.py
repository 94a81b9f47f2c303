"""One attempt at one target: from sending the request to the point where its answer can be sent to the client."""

import asyncio
import logging
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway import errors, false_success
from claude_gateway_proxy.gateway.answer import Answer, Read
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure, Relayed
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack
from claude_gateway_proxy.gateway.lanes.endpoint import is_anthropic
from claude_gateway_proxy.gateway.lanes.lane import Response, Sending
from claude_gateway_proxy.gateway.telemetry.credentials import rejects
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.gateway.upstream.encoding import unpacked
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused
from claude_gateway_proxy.gateway.wire import bedrock, sse
from claude_gateway_proxy.gateway.wire.error_events import reports_error
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.resets import retry_after
from claude_gateway_proxy.translation.limits import TooLong, too_long
from claude_gateway_proxy.translation.refused_content import refuses_images
from claude_gateway_proxy.translation.words import is_about_content
from claude_gateway_proxy.unreachable import Obstacle, Unreachable, explain, wants_tls
from claude_gateway_runtime.logs import emit

if TYPE_CHECKING:
    from claude_gateway_runtime.asgi import Headers

_log: Final = logging.getLogger(__name__)

WHOLE_LIMIT: Final = 1024 * 1024
"""The size up to which an answer that is not streamed is read completely before anything is sent."""

ERROR_LIMIT: Final = 256 * 1024
"""The largest upstream error, decompressed, that is passed on; for a larger one, only the status is."""

_AT_ONCE: Final = 16 * 1024
"""The largest error that is searched for keys on the event loop, which takes some milliseconds."""

_WORDS_MOST: Final = 4_000
"""The most characters of an error within a stream that are passed on."""

_CREDENTIAL: Final = frozenset({401, 403})
_KINDS: Final = {
    408: UpstreamError.STATUS,
    429: UpstreamError.RATE_LIMITED,
    503: UpstreamError.OVERLOADED,
    529: UpstreamError.OVERLOADED,
}
_OF_THE_REQUEST: Final = frozenset({400, 413, 422})
_TIMES: Final = (b"retry-after", b"anthropic-ratelimit-")
"""Prefixes of headers that already tell clients the time: Claude Code reads Anthropic's own headers."""
_ABSENT: Final = frozenset({404, 405, 501})
_BUSY: Final = frozenset({UpstreamError.RATE_LIMITED, UpstreamError.OVERLOADED})


class AttemptFailed(Exception):  # noqa: N818 - one attempt, not the request
    """A target did not answer the request. ``reply`` is the client's answer if this is the failure that it gets.

    ``kind`` is None if the request itself is at fault; ``retry`` says whether another target may succeed. ``obstacle``
    is why no answer came; ``said`` is the message of the upstream or the system, for the gateway's owner.
    ``verdict`` is what this says about the gateway's credential, if anything. ``too_long`` is set if the request is too
    long for the target: one with a larger window may answer it. ``retry_after`` is the upstream's ``retry-after`` in
    seconds.
    """

    def __init__(
        self,
        reply: Failure | Relayed,
        *,
        kind: UpstreamError | None,
        retry: bool,
        obstacle: Obstacle | None = None,
        said: str = "",
        verdict: Outcome | None = None,
        too_long: TooLong | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind)
        self.reply = reply
        self.kind = kind
        self.retry = retry
        self.obstacle = obstacle
        self.said = said
        self.verdict = verdict
        self.too_long = too_long
        self.retry_after = retry_after

    @property
    def lacks_operation(self) -> bool:
        """Whether the upstream reports that it does not support the operation, such as counting tokens."""
        return isinstance(self.reply, Relayed) and self.reply.status in _ABSENT

    @property
    def busy(self) -> bool:
        """Whether the target will probably answer in a while."""
        return self.kind in _BUSY


async def begin(sending: Sending, *, call: Call, target: Target, hold: bool) -> Answer:
    """Send the request and wait for the start of the answer; ``hold`` reads on until the model has produced output.

    Raises AttemptFailed. The caller closes ``Answer.response``.
    """
    try:
        response = await sending.response
    except AddressRefused as error:
        raise _unreached(Unreachable(Obstacle.ADDRESS, str(error)), call, target) from None
    except IdentityError as error:
        emit(_log, "identity_missing", level=logging.WARNING, target=target.id, error=str(error))
        lacking = errors.identity_unanswered if error.lack is Lack.UNANSWERED else errors.identity_missing
        failure = lacking(call.route.name)
        verdict = Outcome.REJECTED if error.lack is Lack.REFUSED else Outcome.UNAVAILABLE
        raise AttemptFailed(
            failure, kind=UpstreamError.CREDENTIAL, retry=True, said=str(error), verdict=verdict
        ) from None
    except (Unreachable, OSError, ValueError) as error:
        raise _unreached(error if isinstance(error, Unreachable) else explain(error), call, target) from None
    try:
        if 200 <= response.status < 300:
            return await _first_bytes(response, call=call, target=target, sending=sending, hold=hold)
        failed = await _refusal(response, call, target, sending.mask)
    except OSError:
        response.close()
        raise AttemptFailed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True) from None
    except BaseException:
        response.close()
        raise
    response.close()
    raise failed


async def _first_bytes(response: Response, *, call: Call, target: Target, sending: Sending, hold: bool) -> Answer:
    wire = sending.wire
    plain = response.header(b"content-encoding").lower() in ("", "identity")
    events = response.header(b"content-type").startswith("text/event-stream")
    headers: Headers = response.headers
    read: Read = response.read
    pipe = response.pipe
    if wire is Wire.BEDROCK and plain and bedrock.is_stream(headers):
        headers, read, events = bedrock.stream_headers(headers), bedrock.events(read, call.frames), True
        pipe = None
    streamed = events or call.body.stream
    head = await read()
    if not head:
        raise AttemptFailed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True)
    complete = False
    if plain and not events:
        if false_success.is_page(head):
            raise AttemptFailed(errors.upstream_page(call.route.name), kind=UpstreamError.BROKEN, retry=True)
        if false_success.may_be_error(head):
            head, complete = await _gather(read, head, limit=ERROR_LIMIT)
            refusal = false_success.restated(response, head) if complete else None
            if refusal is not None:
                raise await _refusal(refusal, call, target, sending.mask)
    if not streamed and not complete:
        head, complete = await _gather(read, head, limit=WHOLE_LIMIT)
    if not streamed:
        if wire is Wire.BEDROCK and call.frames is None and call.format is Format.COUNT_TOKENS:
            head = bedrock.count(head)
    elif events and plain:
        if hold:
            head = await _hold(read, head, call, sending.mask)
        elif reports_error(head):
            _raise_unknown_words(head, call, sending.mask)
    return Answer(
        target,
        response=response,
        headers=headers,
        read=read,
        head=head,
        complete=complete,
        streamed=streamed,
        events=events,
        plain=plain,
        mask=sending.mask,
        pipe=pipe,
        hides_counts=sending.hides_counts and events and plain,
    )


async def _gather(read: Read, head: bytes, *, limit: int) -> tuple[bytes, bool]:
    """Read to the end or the limit, so that another target can be tried if the answer breaks off."""
    parts, size = [head], len(head)
    while size < limit:
        chunk = await read()
        if not chunk:
            return b"".join(parts), True
        parts.append(chunk)
        size += len(chunk)
    return b"".join(parts), False


async def _hold(read: Read, head: bytes, call: Call, mask: Mask) -> bytes:
    """Read until the model has produced output: an overloaded upstream may report that only within its stream."""
    beginning, parts = sse.Beginning(), [head]
    while (opening := beginning.feed(parts[-1])) is sse.Opening.UNDECIDED:
        chunk = await read()
        if not chunk:
            raise AttemptFailed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True)
        parts.append(chunk)
    if isinstance(opening, sse.Reported):
        raise _reported(opening, call, mask)
    return b"".join(parts)


def _raise_unknown_words(head: bytes, call: Call, mask: Mask) -> None:
    """Raise AttemptFailed for a stream that begins with a "too long" error that Claude Code does not recognize."""
    opening = sse.Beginning().feed(head) if call.format is Format.MESSAGES else None
    if isinstance(opening, sse.Reported) and opening.status == 400 and not errors.is_known(opening.words):
        raise _reported(opening, call, mask)


def _reported(opening: sse.Reported, call: Call, mask: Mask) -> AttemptFailed:
    """The error that an upstream reports within its stream before an answer began."""
    status = opening.status
    if status == 400:
        words = mask.text(opening.words)[:_WORDS_MOST]
        reply = errors.refused_length(words, format=call.format, request_id=call.record.request_id)
        return AttemptFailed(reply, kind=None, retry=False, too_long=too_long(words) or TooLong())
    seconds = retry_after(status, (), opening.words, now=datetime.now(UTC))
    failure = errors.upstream_error(call.route.name, status)
    failure.retry_after = None if seconds is None else str(math.ceil(seconds))
    return AttemptFailed(failure, kind=_KINDS.get(status, UpstreamError.STATUS), retry=True, retry_after=seconds)


async def _refusal(response: Response, call: Call, target: Target, mask: Mask) -> AttemptFailed:
    """Read an answer that is not a success, and decide what it means for the client and for the next target."""
    route, status = call.route.name, response.status
    if 300 <= status < 400:
        return AttemptFailed(errors.upstream_redirected(route), kind=UpstreamError.REDIRECT, retry=True)
    if not 400 <= status < 600:
        return AttemptFailed(errors.stream_broken(route), kind=UpstreamError.BROKEN, retry=True)
    reply = await _wording(response, mask)
    length = None
    if status in _OF_THE_REQUEST:
        words = errors.words_of_refusal(reply)
        length = errors.refuses_length(reply, words)
        if words is not None and length is not None and length.of_prompt and not is_anthropic(target.base_url):
            reply = errors.in_known_words(reply, words, format=call.format, request_id=call.record.request_id)
    if status == 400 and wants_tls(reply.body):
        return _unreached(Unreachable(Obstacle.PLAIN_HTTP, "the server answered 400"), call, target)
    said = _logged_words(reply, call=call, target=target)
    if status == 403 and is_about_content(reply.body.decode("utf-8", "replace")):
        # The request is rejected, not the key; a 403 would log a user of Claude Code out.
        return AttemptFailed(replace(reply, status=400), kind=None, retry=False, said=said)
    if status == 500 and refuses_images(errors.words_of_refusal(reply) or ""):
        # llama.cpp reports it as a failure of its own. The target is healthy, and another one may accept images.
        return AttemptFailed(replace(reply, status=400), kind=None, retry=True, said=said)
    verdict = None
    if not target.forward_client_token and rejects(status, reply.headers, reply.body):
        verdict = Outcome.REJECTED
    if status in _CREDENTIAL and not target.forward_client_token:
        failure = errors.upstream_refused_key(route, status)
        return AttemptFailed(failure, kind=UpstreamError.CREDENTIAL, retry=True, said=said, verdict=verdict)
    retry = status in (408, 429) or status >= 500
    # An operation that an upstream does not support (501) is not a failure of it; another target may support it.
    kind = _KINDS.get(status, UpstreamError.STATUS) if retry and status != 501 else None
    seconds = retry_after(status, reply.headers, reply.body, now=datetime.now(UTC)) if retry else None
    return AttemptFailed(
        _with_time(reply, seconds),
        kind=kind,
        retry=retry,
        said=said,
        verdict=verdict,
        too_long=length,
        retry_after=seconds,
    )


def _with_time(reply: Relayed, seconds: float | None) -> Relayed:
    """Add the time in a header that every client reads, if the upstream sent it only elsewhere."""
    if seconds is None or any(name.lower().startswith(_TIMES) for name, _ in reply.headers):
        return reply
    return replace(reply, headers=[*reply.headers, (b"retry-after", b"%d" % math.ceil(seconds))])


async def _wording(response: Response, mask: Mask) -> Relayed:
    """An upstream's own error, unpacked and without our keys.

    A body that is too large for an error message is some server's page: it is dropped, the status remains.
    """
    read = response.read
    body, complete = await _gather(read, await read(), limit=ERROR_LIMIT)
    encoding = response.header(b"content-encoding").lower()
    if encoding not in ("", "identity"):
        body = unpacked(body, encoding, limit=ERROR_LIMIT)
    if not complete:
        body = b""
    body = mask.document(body) if len(body) <= _AT_ONCE else await asyncio.to_thread(mask.document, body)
    headers = [
        (name, value)
        for name, value in response.headers
        if name != b"content-encoding" and mask.text(text := value.decode("latin-1")) == text
    ]
    return Relayed(response.status, headers=headers, body=body)


def _logged_words(reply: Relayed, *, call: Call, target: Target) -> str:
    """Log an upstream's status and message, and return them. The message is left out if it may quote the request."""
    words = ""
    if reply.status not in _OF_THE_REQUEST:
        # The target's key is masked in the body; the caller's own login is masked only in the log.
        logins = Mask(value.decode("latin-1").removeprefix("Bearer ") for _, value in call.login)
        words = errors.words(reply.body, mask=logins)
    emit(
        _log,
        "upstream_refused",
        level=logging.WARNING,
        target=target.id,
        status=reply.status,
        message=words,
        request_id=call.record.request_id,
    )
    return f"{reply.status} {words}".rstrip()


def _unreached(why: Unreachable, call: Call, target: Target) -> AttemptFailed:
    """Return the failure without an answer: the client gets the obstacle, the gateway's owner also the details."""
    detail = why.detail
    if why.obstacle is Obstacle.CLOSED and (target.base_url or "").startswith("http://"):
        # Many servers that expect TLS end a plain HTTP connection like this.
        detail = f"{detail}: the base URL begins with http, and the port may expect https"
    emit(
        _log,
        "upstream_unreachable",
        level=logging.WARNING,
        target=target.id,
        reason=why.obstacle.value,
        error=detail,
        request_id=call.record.request_id,
    )
    route, kind = call.route.name, UpstreamError.CONNECT
    if why.obstacle is Obstacle.WORKER:
        failure = errors.litellm_down()
    elif why.obstacle is Obstacle.ADDRESS:
        failure, kind = errors.address_refused(route), UpstreamError.ADDRESS
    elif why.obstacle is Obstacle.BROKEN:
        failure, kind = errors.stream_broken(route), UpstreamError.BROKEN
    else:
        failure = errors.upstream_down(route, why.obstacle)
    return AttemptFailed(failure, kind=kind, retry=True, obstacle=why.obstacle, said=detail)
