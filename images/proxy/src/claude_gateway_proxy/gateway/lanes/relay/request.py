"""What a target gets that speaks another wire than the client, or lives in a cloud: address, headers and body."""

from dataclasses import dataclass

from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import CLAUDE_WIRES, Format, Target, Wire
from claude_gateway_proxy.gateway.body.document import splice
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.relay.endpoint import Endpoint
from claude_gateway_proxy.gateway.lanes.relay.headers import Headers, request_headers
from claude_gateway_proxy.gateway.wire.model_ids import written_for
from claude_gateway_proxy.gateway.wire.reframe import Changes, counted, model_text, reframed


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to an upstream, complete but for the headers of an identity."""

    url: URL
    headers: CIMultiDict[str]
    body: bytes


def model_at(target: Target, asked: str) -> str:
    """The target's name of the model that a client asked for."""
    if target.model != "*":
        return target.model
    if target.wire not in CLAUDE_WIRES:
        return asked
    return written_for(target.wire, asked, "" if target.aws is None else target.aws.region)


def request(call: Call, target: Target, where: Endpoint, *, found: Changes, login: Headers) -> Request:
    """The request for a target on a Claude wire; ``found`` is what the route changes in the body."""
    model = model_at(target, call.asked)
    counts = call.format is Format.COUNT_TOKENS
    headers: Headers = call.headers
    if call.wire is where.wire:
        if counts and where.wire is Wire.VERTEX and model != call.body.model:
            found["model"] = model_text(model)
        # A count of tokens at Bedrock is not changed by any route, so that it goes on as it came, wrapped up.
        body = call.raw if counts and where.wire is Wire.BEDROCK else splice(call.body, found)
    else:
        frame = reframed(call.facts, headers, to=where.wire, format=call.format, model=model)
        body, headers = splice(call.body, frame.changes | found), frame.headers
        if counts and where.wire is Wire.BEDROCK:
            body = counted(body)
    url = where.of_model(model, stream=call.body.stream) if where.verbs is not None else where.address(_query(call))
    return Request(
        url=url,
        headers=request_headers(headers, login=login, always=where.always, missing=where.missing),
        body=body,
    )


def _query(call: Call) -> bytes:
    """Queries mean something between an Anthropic client and Anthropic only."""
    return call.query if call.wire is Wire.ANTHROPIC else b""
