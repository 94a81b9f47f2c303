"""Which model names a client may use."""

from claude_gateway.contract import tenancy
from claude_gateway.contract.client import Client
from claude_gateway.contract.patterns import STAR, Pattern
from claude_gateway_proxy.gateway.routing.route_ref import Viewer, lookups


class Allowance:
    """The names that one client may use, and its viewer."""

    __slots__ = ("_patterns", "everything", "viewer", "written")

    def __init__(self, client: Client, *, listed: bool) -> None:
        """Prepare the client's names and patterns; ``listed``: a route lists it among the only ones that may use it."""
        self.viewer: Viewer = (tenancy.namespace_of(client.name), client.name if listed else "")
        self.everything = STAR in client.models
        self.written = frozenset(name for name in client.models if STAR not in name)
        self._patterns = tuple(Pattern.of(name) for name in client.models if STAR in name)

    def __contains__(self, model: str) -> bool:
        return self.everything or model in self.written or any(pattern.matches(model) for pattern in self._patterns)

    def lists(self, model: str) -> bool:
        """Return whether the client may name a model; an id of a cloud also by its plain names."""
        return model in self or any(name in self for name in lookups(model)[1:])
