"""The codec lane: a request becomes one in the target's own format, and its answer one in the caller's."""

import asyncio
from typing import Final

import msgspec
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Target, Wire
from claude_gateway.names import TRACE_HEADERS
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.lanes.body import body_of
from claude_gateway_proxy.gateway.lanes.codec import messages, openai
from claude_gateway_proxy.gateway.lanes.codec.answer import Streamed
from claude_gateway_proxy.gateway.lanes.codec.failures import failure_of, written
from claude_gateway_proxy.gateway.lanes.codec.pair import Json, ModelNames, Pair, Prepared
from claude_gateway_proxy.gateway.lanes.codec.reading import documents_of, reader_of
from claude_gateway_proxy.gateway.lanes.codec.refusals import Refused, Repairing
from claude_gateway_proxy.gateway.lanes.codec.translator import Translator
from claude_gateway_proxy.gateway.lanes.dispatch import Dispatch, Request
from claude_gateway_proxy.gateway.lanes.endpoint import Endpoint
from claude_gateway_proxy.gateway.lanes.lane import Response, Sending
from claude_gateway_proxy.gateway.lanes.whole import json_answer
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.wire import betas
from claude_gateway_proxy.gateway.wire.headers import text_of, upstream_request_id
from claude_gateway_proxy.gateway.wire.model_ids import model_at
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Reported
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.failure import Failure

PAIRS: Final = {
    Format.MESSAGES: messages.PAIR,
    Format.COUNT_TOKENS: messages.COUNT_PAIR,
    Format.CHAT: openai.CHAT_PAIR,
    Format.RESPONSES: openai.RESPONSES_PAIR,
}
"""The translation for each format of callers; a target of another wire gets its own format."""

_AT_ONCE: Final = 512 * 1024
"""The largest body that is translated on the event loop, which takes some milliseconds."""

_PASSED_ON: Final = {name.encode(): name for name in ("user-agent", *TRACE_HEADERS)}
"""Headers of the caller with the same meaning for an upstream of another format."""


class CodecLane:
    """Translates in this process. The models behind it do not judge tool calls."""

    name: Final = LaneName.CODEC
    supports_safeguards: Final = False

    def __init__(self, dispatch: Dispatch) -> None:
        """Send through ``dispatch``, which its owner closes."""
        self._dispatch = dispatch
        self._repairing = Repairing()

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        """Prepare the request; awaiting its response translates it, and raises Failure (400) if that is impossible."""
        to = self._dispatch.endpoint(call, target, _pair(call).upstream(target))
        mask = Mask() if to.identified else to.mask
        response = self._answer(call, target, to=to, mask=mask, upstreams=upstreams)
        # Whatever the frames of the caller, this lane answers without them.
        return Sending(response, wire=OPERATIONS[call.format].wire, mask=mask)

    async def close(self) -> None:
        """Close nothing: the connections belong to the exchange."""

    async def _answer(self, call: Call, target: Target, *, to: Endpoint, mask: Mask, upstreams: Upstreams) -> Response:
        model = model_at(target, call.asked_of(target))
        try:
            prepared = await _prepared(call, target, model)
        except Failure as failure:
            if failure.status < 500:
                raise
            # Another target may support what this one does not.
            return written(failure, call)

        async def send(fields: Json) -> HttpAnswer:
            request = _request(prepared, fields, call=call, target=target, to=to, model=model)
            if to.identified:
                return await self._dispatch.send_identified(
                    request, mask=mask, call=call, target=target, upstreams=upstreams
                )
            return await upstreams.send(request.url, headers=request.headers, body=request.body)

        response = await self._repairing.send(prepared.fields, call=call, target=target, model=model, send=send)
        if isinstance(response, Refused):
            return response.answer(call)
        if not 200 <= response.status < 300:
            return response
        try:
            return await _read(response, prepared.translator, call=call, to=to, mask=mask)
        except BadAnswer as error:
            response.close()
            return written(failure_of(error, call=call, mask=mask), call)
        except BaseException:
            response.close()
            raise


def _pair(call: Call) -> Pair:
    """The translation for a call. Raises Failure (400) for a streamed compaction: compactions are not streamed."""
    if not call.compacts:
        return PAIRS[call.format]
    if call.body.stream:
        raise bad_request("stream: a compaction is not streamed")
    return openai.COMPACT_PAIR


async def _prepared(call: Call, target: Target, model: str) -> Prepared:
    pair, body = _pair(call), body_of(call, target)
    names = ModelNames(model, answered=None if target.verbatim else call.named)
    if len(body) <= _AT_ONCE:
        return pair.prepare(pair.read(body), target, names, len(body))
    return await asyncio.to_thread(_prepared_aside, pair, body, target, names)


def _prepared_aside(pair: Pair, body: bytes, target: Target, names: ModelNames) -> Prepared:
    return pair.prepare(pair.read(body), target, names, len(body))


def _request(prepared: Prepared, fields: Json, *, call: Call, target: Target, to: Endpoint, model: str) -> Request:
    stream = call.body.stream
    headers: CIMultiDict[str] = CIMultiDict(
        [(_PASSED_ON[name], text_of(value)) for name, value in call.headers if name in _PASSED_ON]
    )
    headers["accept"] = "text/event-stream" if stream else "application/json"
    headers.extend(to.missing)
    headers.extend(to.always)
    path = prepared.path
    url = to.of_model(model, stream=stream) if path is None else URL(f"{target.base_url}{path}", encoded=True)
    document = fields if to.verbs is not None else {"model": model, **fields}
    if to.wire in CLAUDE_WIRES and (wanted := betas.with_context((), None, context=call.facts.context)):
        if to.wire is Wire.BEDROCK:
            document = {**document, betas.FIELD: [betas.LONG_CONTEXT]}
        else:
            headers.extend([(name.decode(), value.decode()) for name, value in wanted])
    return Request(url=url, headers=headers, body=msgspec.json.encode(document))


async def _read(response: HttpAnswer, translator: Translator, *, call: Call, to: Endpoint, mask: Mask) -> Response:
    """Read an answer until the model has produced output, or to its end. Raises BadAnswer if it cannot be used."""
    read, headers = reader_of(response, to.wire), _headers(response)
    if not call.body.stream:
        return json_answer(translator.whole(await documents_of(read)), headers=headers)

    def reported(error: Reported) -> bytes:
        failure = failure_of(error, call=call, mask=mask)
        own = translator.failed(failure)
        return own or OPERATIONS[call.format].error_event(failure, request_id=call.record.request_id)

    stream = Streamed(response, translator, read=read, headers=headers, reported=reported)
    await stream.begin()
    return stream


def _headers(response: HttpAnswer) -> Headers:
    """The upstream's id of the request, which its vendor's support asks for."""
    ident = upstream_request_id(response.headers)
    return [] if ident is None else [(b"request-id", ident.encode())]
