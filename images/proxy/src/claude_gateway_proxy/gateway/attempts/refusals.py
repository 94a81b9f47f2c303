"""What errors of an upstream mean for the client and for the next target, and how both are worded."""

import asyncio
import logging
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.attempts.failed import AttemptFailed
from claude_gateway_proxy.gateway.attempts.reading import gather
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Relayed
from claude_gateway_proxy.gateway.lanes.endpoint import is_anthropic
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.telemetry.credentials import rejects
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.gateway.upstream.encoding import unpacked
from claude_gateway_proxy.gateway.wire import sse
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.resets import retry_after
from claude_gateway_proxy.translation.limits import TooLong, too_long
from claude_gateway_proxy.translation.refused_content import refuses_images
from claude_gateway_proxy.translation.words import is_about_content
from claude_gateway_proxy.unreachable import Obstacle, Unreachable, wants_tls
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)

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


def reported(opening: sse.Reported, call: Call, mask: Mask) -> AttemptFailed:
    """The error that an upstream reports within its stream before an answer began."""
    status = opening.status
    if status == 400:
        words = mask.text(opening.words)[:_WORDS_MOST]
        reply = errors.refused_length(words, format=call.format, request_id=call.record.request_id)
        return AttemptFailed(reply, kind=None, retry=False, too_long=too_long(words) or TooLong())
    if status in _CREDENTIAL:
        failure = errors.upstream_refused_key(call.route.name, status)
        return AttemptFailed(failure, kind=UpstreamError.CREDENTIAL, retry=True)
    seconds = retry_after(status, (), opening.words, now=datetime.now(UTC))
    failure = errors.upstream_error(call.route.name, status)
    failure.retry_after = None if seconds is None else str(math.ceil(seconds))
    return AttemptFailed(failure, kind=_KINDS.get(status, UpstreamError.STATUS), retry=True, retry_after=seconds)


async def refusal(response: Response, call: Call, target: Target, mask: Mask) -> AttemptFailed:
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
        return unreached(Unreachable(Obstacle.PLAIN_HTTP, "the server answered 400"), call, target)
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
    body, complete = await gather(read, await read(), limit=ERROR_LIMIT)
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


def unreached(why: Unreachable, call: Call, target: Target) -> AttemptFailed:
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
