"""Requests that an upstream refuses: sent again in a form that it accepts, or answered with a clear message."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.bounds import ERROR_MOST
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.codec.failures import too_long, written
from claude_gateway_proxy.gateway.lanes.codec.pair import Json
from claude_gateway_proxy.gateway.lanes.codec.reading import reader_of
from claude_gateway_proxy.gateway.lanes.whole import Whole, json_answer
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.repair_log import learn
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.refused_fields import STATUSES
from claude_gateway_proxy.translation.repair import TRIES_MOST, Model, Repairs
from claude_gateway_proxy.translation.words import param_of, words_of
from claude_gateway_runtime.asgi import Headers

Send = Callable[[Json], Awaitable[HttpAnswer]]
"""Sends the fields of a request in the upstream's format."""

_OF_THE_REQUEST: Final = frozenset({400, 413, 422})
_OF_THE_BODY: Final = frozenset({b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Refused:
    """An upstream's refusal, read to its end; ``body`` is plain."""

    refusal: Refusal
    headers: Headers
    body: bytes

    def answer(self, call: Call) -> Whole:
        """Return what the exchange gets: the upstream's own answer, or Claude's words for a prompt that is too long."""
        failure = too_long(self.refusal.words, call) if self.refusal.status in _OF_THE_REQUEST else None
        if failure is not None:
            return written(failure, call)
        return json_answer(self.body, status=self.refusal.status, headers=self.headers)


class Repairing:
    """Sends requests in the form that the models behind the targets accept, and learns from their refusals."""

    def __init__(self) -> None:
        """Start without any knowledge."""
        self._repairs = Repairs(clock=time.monotonic)

    async def send(self, fields: Json, *, call: Call, target: Target, model: str, send: Send) -> HttpAnswer | Refused:
        """Send a request, and again without the parts that were refused; return the last answer.

        Raises what ``send`` raises, and OSError where a refusal cannot be read.
        """
        asked = Model(target.id, model, worded=call.format is Format.MESSAGES)
        fields, names = self._repairs.known(asked, fields)
        request = fields
        call.record.repairs += [(name, "known") for name in names]
        tried: list[tuple[Refusal, str]] = []
        while True:
            response = await send(fields)
            if response.status not in STATUSES:
                break
            refused = await _read(response)
            changed = self._repairs.after(asked, refused.refusal, fields)
            if changed is None or len(tried) == TRIES_MOST:
                return refused
            fields, name = changed
            call.record.repairs.append((name, "refused"))
            tried.append((refused.refusal, name))
        if 200 <= response.status < 300:
            await learn(self._repairs, asked, tried, request=request)
        return response


async def _read(response: HttpAnswer) -> Refused:
    """Read a refusal; only the beginning of one that is larger than an error can be."""
    parts: list[bytes] = []
    size = 0
    try:
        read = reader_of(response, None)
        while size < ERROR_MOST and (piece := await read()):
            parts.append(piece)
            size += len(piece)
    except Broken:
        # It has a compression that was not requested, so only its status remains.
        parts.clear()
    finally:
        response.close()
    body = b"".join(parts)[:ERROR_MOST]
    headers = [(name, value) for name, value in response.headers if name.lower() not in _OF_THE_BODY]
    text = body.decode("utf-8", "replace")
    return Refused(Refusal(response.status, words_of(text) or "", param_of(text)), headers=headers, body=body)
