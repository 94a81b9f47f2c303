"""One attempt at one target: from sending the request to the point where its answer can be sent to the client."""

import logging
from typing import TYPE_CHECKING, Final

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.answer import Answer, Read
from claude_gateway_proxy.gateway.attempts import false_success
from claude_gateway_proxy.gateway.attempts.failed import AttemptFailed
from claude_gateway_proxy.gateway.attempts.reading import gather
from claude_gateway_proxy.gateway.attempts.refusals import ERROR_LIMIT, refusal, reported, unreached
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack
from claude_gateway_proxy.gateway.lanes.lane import Response, Sending
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.gateway.upstream.http.resolver import AddressRefused
from claude_gateway_proxy.gateway.wire import bedrock, sse
from claude_gateway_proxy.gateway.wire.error_events import reports_error
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.unreachable import Obstacle, Unreachable, explain
from claude_gateway_runtime.logs import emit

if TYPE_CHECKING:
    from claude_gateway_runtime.asgi import Headers

_log: Final = logging.getLogger(__name__)

WHOLE_LIMIT: Final = 1024 * 1024
"""The size up to which an answer that is not streamed is read completely before anything is sent."""


async def begin(sending: Sending, *, call: Call, target: Target, hold: bool) -> Answer:
    """Send the request and wait for the start of the answer; ``hold`` reads on until the model has produced output.

    Raises AttemptFailed. The caller closes ``Answer.response``.
    """
    try:
        response = await sending.response
    except AddressRefused as error:
        raise unreached(Unreachable(Obstacle.ADDRESS, str(error)), call, target) from None
    except IdentityError as error:
        emit(_log, "identity_missing", level=logging.WARNING, target=target.id, error=str(error))
        lacking = errors.identity_unanswered if error.lack is Lack.UNANSWERED else errors.identity_missing
        failure = lacking(call.route.name)
        verdict = Outcome.REJECTED if error.lack is Lack.REFUSED else Outcome.UNAVAILABLE
        raise AttemptFailed(
            failure, kind=UpstreamError.CREDENTIAL, retry=True, said=str(error), verdict=verdict
        ) from None
    except (Unreachable, OSError, ValueError) as error:
        raise unreached(error if isinstance(error, Unreachable) else explain(error), call, target) from None
    try:
        if 200 <= response.status < 300:
            return await _first_bytes(response, call=call, target=target, sending=sending, hold=hold)
        failed = await refusal(response, call, target, sending.mask)
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
            head, complete = await gather(read, head, limit=ERROR_LIMIT)
            restated = false_success.restated(response, head) if complete else None
            if restated is not None:
                raise await refusal(restated, call, target, sending.mask)
    if not streamed and not complete:
        head, complete = await gather(read, head, limit=WHOLE_LIMIT)
    if not streamed:
        if wire is Wire.BEDROCK and call.frames is None and call.format is Format.COUNT_TOKENS:
            head = bedrock.count(head)
    elif events and plain:
        if hold:
            head = await _hold(read, head, call, target, sending.mask)
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


async def _hold(read: Read, head: bytes, call: Call, target: Target, mask: Mask) -> bytes:
    """Read until the model has produced output: an overloaded upstream may report that only within its stream.

    A caller whose own login is rejected gets the upstream's words: only they can sign in again.
    """
    beginning, parts = sse.Beginning(), [head]
    while (opening := beginning.feed(parts[-1])) is sse.Opening.UNDECIDED:
        chunk = await read()
        if not chunk:
            raise AttemptFailed(errors.stream_broken(call.route.name), kind=UpstreamError.BROKEN, retry=True)
        parts.append(chunk)
    if isinstance(opening, sse.Reported) and not (opening.status in (401, 403) and target.forward_client_token):
        raise reported(opening, call, mask)
    return b"".join(parts)


def _raise_unknown_words(head: bytes, call: Call, mask: Mask) -> None:
    """Raise AttemptFailed for a stream that begins with a "too long" error that Claude Code does not recognize."""
    opening = sse.Beginning().feed(head) if call.format is Format.MESSAGES else None
    if isinstance(opening, sse.Reported) and opening.status == 400 and not errors.is_known(opening.words):
        raise reported(opening, call, mask)
