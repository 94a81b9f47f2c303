"""``gateway.json``: the policy of the gateway."""

from pydantic import Field

from claude_gateway.contract.base import Contract
from claude_gateway.contract.budget import Budget
from claude_gateway.contract.client import Client, ClusterIssuer
from claude_gateway.contract.route import Route


class Egress(Contract):
    """Addresses that are refused by default and were allowed by the installation, not by route authors.

    ``hosts`` holds exact host names or IP addresses; ``loopback`` allows the whole loopback range. ``private`` allows
    the addresses of private networks, where models run; it is False where only public documents are fetched.
    """

    loopback: bool = False
    hosts: tuple[str, ...] = ()
    private: bool = Field(default=True, exclude=True)


class Policy(Contract):
    """All of ``gateway.json``.

    ``routes`` are in order of age, the oldest first: across namespaces an older route's names come before a younger
    one's. ``namespace`` is the release's own; its clients may use every route.
    ``client_keys`` names the entry of the secret part with the table of ``contract.client_keys``; none: nobody has a
    key. ``cluster`` is None where the keys of the cluster are not known or not needed.
    """

    namespace: str = ""
    routes: tuple[Route, ...] = ()
    clients: tuple[Client, ...] = ()
    budgets: tuple[Budget, ...] = ()
    client_keys: str | None = None
    cluster: ClusterIssuer | None = None
    egress: Egress = Egress()
