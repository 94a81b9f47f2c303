"""A batch that a client wants to create, checked and ready to be sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from claude_gateway.contract import money
from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.admission.admission import check_further_models
from claude_gateway_proxy.gateway.batches.asking import Asking
from claude_gateway_proxy.gateway.batches.items import items
from claude_gateway_proxy.gateway.batches.place import place
from claude_gateway_proxy.gateway.body.document import parse, splice
from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.body.parameters import changes as route_changes
from claude_gateway_proxy.gateway.call import Batch, Call
from claude_gateway_proxy.gateway.costs.reservation import batched
from claude_gateway_proxy.gateway.errors import Failure, bad_request
from claude_gateway_proxy.gateway.routing.choice import eligible, find_route
from claude_gateway_proxy.gateway.routing.rules import first_match
from claude_gateway_proxy.gateway.wire.model_ids import model_at
from claude_gateway_proxy.gateway.wire.reframe import model_text

_COMPACTION: Final = b"compact"
"""A part of the names of those edits in ``context_management`` that call a model again."""
_SLICE_SECONDS: Final = 0.005
"""How long requests of a batch are checked before other requests get a turn on the event loop."""


@dataclass(frozen=True, slots=True)
class Draft:
    """``call`` is that of the first request, with the usage of the whole batch; ``context`` is the longest context that
    a request needs, in tokens, and ``parts`` are the requests as they are sent.
    """

    call: Call
    target: Target
    context: int
    parts: Sequence[bytes] = field(repr=False)

    @property
    def body(self) -> bytes:
        """Return the body for the upstream."""
        return b'{"requests":[' + b",".join(self.parts) + b"]}"


async def draft(asking: Asking) -> Draft:
    """Check every request of a batch like a single request, and that all can go to one target.

    Raises Failure, which names the request that is at fault by its number, from 0.
    """
    loop = asyncio.get_running_loop()
    first: Call | None = None
    target: Target | None = None
    parts: list[bytes] = []
    sent = written = cost = context = 0
    until = loop.time() + _SLICE_SECONDS
    for index, (ident, params) in enumerate(items(asking.raw)):
        try:
            call, at = _checked(asking, params)
            if target is not None and at.id != target.id:
                raise bad_request(f"model: '{call.body.model}' is served elsewhere than the model of the first request")
        except Failure as failure:
            raise _of(index, failure) from None
        first, target = first or call, at
        parts.append(b'{"custom_id":"%b","params":%b}' % (ident.encode(), _spliced(call, at)))
        most = batched(call, at)
        sent, written, cost = sent + most.input_tokens, written + most.output_tokens, cost + most.cost
        context = max(context, call.facts.context)
        if loop.time() >= until:
            await asyncio.sleep(0)
            until = loop.time() + _SLICE_SECONDS
    if first is None or target is None:  # pragma: no cover - a batch has a request
        raise AssertionError
    # No budget is larger, and a store cannot count much more.
    batch = Batch(requests=len(parts), input_tokens=sent, output_tokens=written, cost=min(cost, money.MOST))
    return Draft(msgspec.structs.replace(first, batch=batch), target, context, parts)


def _checked(asking: Asking, params: bytes) -> tuple[Call, Target]:
    """Return a request as a call, and the target that accepts it."""
    body = parse(params)
    if body.stream:
        raise bad_request("stream: the answers of a batch are not streamed")
    call = asking.call(body, find_route(asking.snapshot.routing, model=body.model, client=asking.principal.client))
    check_further_models(call)
    rules = call.route.rules
    target = place(call.route, eligible(call, first_match(rules, call) if rules else None))
    if not target.forward_client_token:
        _check_cost(call)
    return call, target


def _check_cost(call: Call) -> None:
    """Check that the highest cost of a request is known in advance: nothing counts it later. Raises Failure (400)."""
    body = call.body
    unknown = "its cost cannot be known before a batch runs"
    if call.facts.server_tools:
        raise bad_request(f"tools: '{call.facts.server_tools[0][:64]}' is run by the upstream, and {unknown}")
    if body.value("mcp_servers") not in (None, b"null", b"[]"):
        raise bad_request(f"mcp_servers: the upstream calls them, and {unknown}")
    if _COMPACTION in (body.value("context_management") or b""):
        raise bad_request(f"context_management: the upstream compacts as often as it needs, and {unknown}")
    further = next(further_models(body), None)
    if further is not None:
        field, model = further
        raise bad_request(f"{field[:64]}: '{model[:64]}' may answer instead, and {unknown}")


def _spliced(call: Call, target: Target) -> bytes:
    """Return the parameters of a request: the client's bytes, except for the changes that the target needs."""
    changes: dict[str, bytes | None] = {
        **route_changes(target, format=Format.MESSAGES, facts=call.facts),
        **without_foreign_thinking(call.body),
    }
    model = model_at(target, call.asked_of(target))
    if model != call.body.model:
        changes["model"] = model_text(model)
    return splice(call.body, changes)


def _of(index: int, failure: Failure) -> Failure:
    return replace(failure, message=f"requests.{index}.params: {failure.message}")
