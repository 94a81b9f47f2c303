"""The request that the relay lane sends: address, headers and body."""

from functools import partial

from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Target, Wire
from claude_gateway_proxy.gateway.body.document import splice
from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking
from claude_gateway_proxy.gateway.body.parameters import changes as route_changes
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.dispatch import Request
from claude_gateway_proxy.gateway.lanes.endpoint import Endpoint
from claude_gateway_proxy.gateway.wire import betas
from claude_gateway_proxy.gateway.wire.headers import request_headers
from claude_gateway_proxy.gateway.wire.model_ids import model_at
from claude_gateway_proxy.gateway.wire.paths import COMPACT
from claude_gateway_proxy.gateway.wire.reframe import Changes, counted, model_text, reframed
from claude_gateway_runtime.asgi import Headers


def request(call: Call, target: Target, to: Endpoint, *, further: Changes | None = None) -> Request:
    """Build the request for a target's endpoint: the client's bytes, spliced only where the target needs it.

    ``further`` are changes of the body that the lane makes, such as without what a target refused.
    """
    model = model_at(target, call.asked_of(target))
    headers = call.headers
    if to.wire in CLAUDE_WIRES and not target.verbatim:
        headers = betas.with_context(headers, call.body.value(betas.FIELD), context=call.facts.context)
    changes: Changes = {**route_changes(target, format=call.format, facts=call.facts)}
    if to.wire in CLAUDE_WIRES:
        changes |= without_foreign_thinking(call.body)
    changes |= further or {}
    if call.wire is not to.wire:
        frame = reframed(call.facts, headers, to=to.wire, format=call.format, model=model)
        changes, headers = frame.changes | changes, frame.headers
    elif to.wire is Wire.BEDROCK and headers is not call.headers:
        changes[betas.FIELD], headers = betas.as_field(headers, call.body.value(betas.FIELD)), call.headers
    elif to.verbs is None and model != call.body.model:
        changes["model"] = model_text(model)
    return Request(
        url=_url(call, to, model),
        headers=headers_for(headers, call=call, target=target, to=to),
        body=_body(call, changes, to=to.wire),
    )


def headers_for(headers: Headers, *, call: Call, target: Target, to: Endpoint) -> CIMultiDict[str]:
    """Return a caller's ``headers`` as a target gets them, with its credential."""
    return request_headers(
        headers,
        wire=to.wire,
        withheld=partial(call.snapshot.callers.holds_key, headers=call.headers),
        login=call.login if target.forward_client_token else (),
        always=to.always,
        missing=to.missing,
        hints=to.hints,
    )


def _url(call: Call, to: Endpoint, model: str) -> URL:
    if to.verbs is not None:
        return to.of_model(model, stream=call.body.stream)
    return URL(f"{to.url}{COMPACT}", encoded=True) if call.compacts else to.address(_query(call))


def _body(call: Call, changes: Changes, *, to: Wire) -> bytes:
    if call.format is not Format.COUNT_TOKENS or to is not Wire.BEDROCK:
        return splice(call.body, changes)
    # No route changes a request that is counted, so a count from Bedrock to Bedrock is forwarded in its wrapper.
    return call.raw if call.wire is to else counted(splice(call.body, changes))


def _query(call: Call) -> bytes:
    """Return the query to forward: it has a meaning only between an Anthropic client and Anthropic."""
    return call.query if call.wire is Wire.ANTHROPIC else b""
