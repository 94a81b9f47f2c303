"""The node with everything on it restarts."""

from tests.chaos.seen import Note, steady
from tests.e2e.release import Gateway
from tests.support.kube import harm
from tests.support.kube import pods as kubepods


def test_the_node_restarts(gateway: Gateway, seen: Note) -> None:
    """The only node restarts, with control plane, pods and clients.

    Everything is served again as it was, without a hand.
    """
    kube, release = gateway.kube, gateway.release
    harm.node_restarted(kube, namespaces=(kubepods.UPSTREAM, kubepods.CLIENTS, release.namespace))
    gateway.wait_live("modelroute/anthropic", "modelroute/openai", f"gatewayclient/{gateway.pod}")
    with gateway.load(*steady(gateway)) as load:
        load.wait_for_more(40)
    seen("after a restart of the whole node", load)
    assert load.problems() == []
