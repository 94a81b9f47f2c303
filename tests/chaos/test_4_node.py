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
    harm.node_restarted(kube)
    kube.rolled("scripted", namespace=kubepods.UPSTREAM)
    for deployment in (release.operator, release.proxy):
        kube.rolled(deployment, namespace=release.namespace)
    kube.wait(f"pod/{gateway.pod}", condition="Ready", namespace=kubepods.CLIENTS)
    gateway.wait_live("modelroute/anthropic", "modelroute/openai", f"gatewayclient/{gateway.pod}")
    with gateway.load(*steady(gateway)) as load:
        load.wait_for_more(40)
    seen("after a restart of the whole node", load)
    assert load.problems() == []
