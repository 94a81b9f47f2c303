"""The place of batches: the one target of a route that accepts them."""

from collections.abc import Iterable, Sequence

from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.errors import batches_ambiguous, batches_not_served

_PROVIDER = "anthropic"


def place(route: Route, targets: Iterable[Target]) -> Target:
    """Return the target that a batch of this route is created at. Raises Failure (404) unless there is exactly one.

    It is at Anthropic's own API, under one API key or the client's own login: a batch stays where it was created, so
    that no other target can take over.
    """
    found = takers(targets)
    if not found:
        raise batches_not_served(route.name)
    if len({(target.base_url, target.secret) for target in found}) > 1:
        raise batches_ambiguous(route.name)
    return min(found, key=lambda target: target.priority)


def takers(targets: Iterable[Target]) -> Sequence[Target]:
    """Return the targets that accept batches."""
    return [target for target in targets if _takes(target)]


def _takes(target: Target) -> bool:
    anthropic = target.provider == _PROVIDER and target.wire is Wire.ANTHROPIC and target.base_url is not None
    paid = target.forward_client_token or target.secret is not None
    return anthropic and paid and target.login is None and Format.MESSAGES in target.formats
