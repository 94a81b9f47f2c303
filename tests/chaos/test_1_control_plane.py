"""The control plane away, killed or cut off: traffic does not notice, and edits are live afterwards."""

import json

import pytest
from tests.chaos.seen import Note, steady
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway
from tests.support.kube import harm

from claude_gateway.names import ConditionType


def edit(gateway: Gateway) -> None:
    """Edit the route so that ``late`` serves the model."""
    patch = {"spec": {"targets": [{"model": "anthropic/late", "credential": "anthropic"}]}}
    place = ("-n", gateway.release.namespace, "--type=merge")
    gateway.kube.kubectl("patch", "modelroute", "edited", *place, "-p", json.dumps(patch))


def on(gateway: Gateway, model: str, *, seconds: float = 300) -> Group:
    """A load on the edited model."""
    return Group("edited", gateway.release.url, model, fresh=True, pause=0.5, seconds=seconds)


@pytest.mark.usefixtures("same_pods")
def test_the_api_server_is_away(gateway: Gateway, edited: str, api_minutes: float, seen: Note) -> None:
    """The API server is away for minutes.

    No request fails, no pod restarts, and an edit is live once it is back.
    """
    seconds = api_minutes * 60 + 600
    groups = [on(gateway, edited, seconds=seconds), *steady(gateway, seconds=seconds)]
    with gateway.load(*groups) as load:
        with harm.api_server_away(gateway.kube):
            harm.wait(api_minutes * 60)
        edit(gateway)
        gateway.wait_live("modelroute/edited")
        load.wait_for_more(20)
    seen(f"away for {api_minutes:g} minutes", load)
    assert load.problems() == []
    assert [answer.served for answer in load.answers if answer.group == "edited"][-1] == "late"


@pytest.mark.usefixtures("same_pods")
def test_the_operator_is_killed_again_and_again(gateway: Gateway, edited: str, seen: Note) -> None:
    """The operator is killed three times, once in the middle of an edit.

    No request fails, and the edit becomes live.
    """
    kube, release = gateway.kube, gateway.release
    with gateway.load(on(gateway, edited), *steady(gateway)) as load:
        for turn in range(3):
            (pod,) = kube.pods(namespace=release.namespace, selector=release.selector(release.operator))
            if turn == 1:
                edit(gateway)
            harm.killed(kube, pod, "operator", namespace=release.namespace)
            load.wait_for_more(10)
        gateway.wait_live("modelroute/edited")
        load.wait_for_more(20)
    seen("killed 3 times", load)
    assert load.problems() == []
    assert [answer.served for answer in load.answers if answer.group == "edited"][-1] == "late"


@pytest.mark.usefixtures("same_pods")
def test_an_agent_is_cut_off_from_the_api_server(gateway: Gateway, edited: str, seen: Note) -> None:
    """One pod's agent cannot reach the API server.

    The pod serves what it had, the status of the edited route says that it is not live, and the pod catches up.
    """
    kube, place = gateway.kube, gateway.release.namespace
    address = kube.get("service", namespace="default", name="kubernetes")["spec"]["clusterIP"]
    whole, cut_off = gateway.release.pods()
    pods = [Group(pod.name, f"http://{pod.ip}:4000", edited, pause=0.3) for pod in (whole, cut_off)]
    with gateway.load(*pods, *steady(gateway)) as load:
        with harm.unreachable([cut_off], address=address):
            edit(gateway)
            where = {"namespace": place, "name": "edited"}
            said = kube.until_condition("modelroute", ConditionType.PROGRAMMED, status="False", **where)
            load.wait_for_more(40)
            during = load.so_far
        gateway.wait_live("modelroute/edited")
        load.wait_for_more(40)
    seen(f"Programmed said: {said['message']}", load)
    assert load.problems() == []
    assert [answer.served for answer in during if answer.group == cut_off.name][-1] == "early"
    assert [answer.served for answer in during if answer.group == whole.name][-1] == "late"
    assert [answer.served for answer in load.answers if answer.group == cut_off.name][-1] == "late"
