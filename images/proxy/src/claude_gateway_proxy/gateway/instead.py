"""Requests that another model serves because a budget is spent."""

import msgspec

from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.admission.demand import Instead
from claude_gateway_proxy.gateway.call import Call


def served_by(call: Call, instead: Instead) -> Call:
    """Return the request for another model; its answer has the name that the client requested.

    The owner of the budget chose the model, so the client's own list of models does not matter. Raises Failure if no
    route serves it any more.
    """
    route = call.snapshot.routing.route(instead.model, namespace=instead.namespace)
    if route is None:
        raise errors.unknown_model(instead.model, ())
    call.record.route = route.name
    return msgspec.structs.replace(call, route=route, instead=instead.model)
