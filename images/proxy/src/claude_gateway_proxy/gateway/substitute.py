"""Requests that another model serves because a budget is spent."""

import msgspec

from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.admission.demand import Substitute
from claude_gateway_proxy.gateway.call import Call


def served_by(call: Call, substitute: Substitute) -> Call:
    """Return the request for another model; its answer has the name that the client requested.

    The owner of the budget chose the model, so the client's own list of models does not matter. Raises Failure if no
    route serves it any more.
    """
    route = call.snapshot.routing.route(substitute.model, namespace=substitute.namespace)
    if route is None:
        raise errors.unknown_model(substitute.model, ())
    call.record.route = route.name
    return msgspec.structs.replace(call, route=route, substitute=substitute.model)
