"""An upstream's answers about batches as clients get them: documents with our ids, and results as they arrive."""

import time
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.batches.seal import PLAIN
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.deadline import Deadline
from claude_gateway_proxy.gateway.errors import not_a_batch
from claude_gateway_proxy.gateway.respond import send_start
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.gateway.wire.error_events import ErrorLines, without_keys
from claude_gateway_runtime.asgi import Headers, Send

_DOCUMENT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RESULTS: Final = "results_url"


def document(answer: Answer, call: Call) -> dict[str, msgspec.Raw]:
    """Return the fields of an upstream's answer. Raises Failure (502) if it is not a document with an id."""
    try:
        found = _DOCUMENT.decode(without_keys(answer.head, answer.mask)) if answer.complete and answer.plain else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = {}
    if PLAIN.fullmatch(ident(found)) is None:
        raise not_a_batch(call.route.name)
    return found


def ident(fields: dict[str, msgspec.Raw]) -> str:
    """Return the id that a document has; empty without one."""
    try:
        return msgspec.json.decode(fields.get("id", b'""'), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def renamed(fields: dict[str, msgspec.Raw], shown: str) -> bytes:
    """Return a document under the id that its client knows.

    The address of the results is ours, without scheme and host: clients would send the gateway's key to any other.
    """
    changed: dict[str, object] = {**fields, "id": shown}
    if bytes(fields.get(_RESULTS, msgspec.Raw(b"null"))) != b"null":
        changed[_RESULTS] = f"/v1/messages/batches/{shown}/results"
    return msgspec.json.encode(changed)


async def respond_document(body: bytes, answer: Answer, *, call: Call, send: Send, more: Headers = ()) -> None:
    """Send a document with the headers of the upstream's answer, and with ``more``."""
    await _start(answer, call=call, send=send, length=len(body), more=more)
    call.record.bytes_out = len(body)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def respond_results(answer: Answer, *, call: Call, send: Send, deadline: Deadline, more: Headers) -> None:
    """Pass results on piece by piece, with masked keys; if they break off, so does the connection.

    Raises Ended if the client disconnected or the upstream was silent for too long.
    """
    lines = ErrorLines(answer.mask) if answer.mask and answer.plain else None
    length = len(answer.head) if answer.complete else answer.response.content_length
    await _start(answer, call=call, send=send, length=length if lines is None else None, more=more)
    record, chunk = call.record, answer.head
    deadline.silence(call.route.timeouts.idle)
    try:
        with deadline:
            while chunk:
                deadline.pause()
                shown = chunk if lines is None else lines.feed(chunk)
                if shown:
                    await send({"type": "http.response.body", "body": shown, "more_body": True})
                record.bytes_out += len(shown)
                deadline.resume()
                chunk = b"" if answer.complete else await answer.read()
            deadline.pause()
            rest = b"" if lines is None else lines.rest()
            record.bytes_out += len(rest)
            await send({"type": "http.response.body", "body": rest, "more_body": False})
    except OSError:
        record.upstream_failed(target=answer.target.id, provider=answer.target.provider, kind=UpstreamError.BROKEN)
        record.outcome = outcome(By.UPSTREAM, kind=UpstreamError.BROKEN)


async def _start(answer: Answer, *, call: Call, send: Send, length: int | None, more: Headers) -> None:
    record = call.record
    record.first_byte = time.monotonic()
    await send_start(send, record, status=answer.response.status, headers=answer.headers, length=length, more=more)
