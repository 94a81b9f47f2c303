"""Harm to what a pod needs: names, upstream connections, its run folder, CPU."""

from collections.abc import Iterator

import pytest
from tests.chaos.seen import Note, steady
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway
from tests.support.kube import harm
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION, BUNDLE_DIR, ConditionType, Kind, Reason

SPARED = "claude-spared"
LONG = "[[words 40]] [[pace 1]]"
PORT = 4001
"""The address of an upstream with plain HTTP."""


@pytest.fixture
def spared(gateway: Gateway) -> Iterator[str]:
    """A model with a second target: the same upstream at its other port, which no scenario harms."""
    place = gateway.release.namespace
    targets = [
        {"model": "anthropic/first", "credential": "anthropic"},
        {"model": "hosted_vllm/spare", "baseURL": f"{kubepods.UPSTREAM_TLS_URL}/v1", "priority": 1},
    ]
    spec = {"models": [SPARED], "targets": targets, "timeouts": {"firstToken": "20s"}}
    manifest = {"apiVersion": API_VERSION, "kind": Kind.MODEL_ROUTE.value, "metadata": {"name": "spared"}, "spec": spec}
    gateway.kube.apply(manifest, namespace=place)
    gateway.wait_live("modelroute/spared")
    yield SPARED
    gateway.kube.kubectl("delete", "modelroute", "spared", "-n", place)


@pytest.mark.usefixtures("same_pods")
def test_names_are_not_resolved(gateway: Gateway, seen: Note) -> None:
    """The pods get no answer from DNS for two minutes.

    Upstreams that were used before are reached all the same: no request fails.
    """
    with gateway.load(*steady(gateway)) as load:
        with harm.unreachable(gateway.release.pods(), port=53):
            harm.wait(120)
        load.wait_for_more(40)
    seen("no DNS for 120 s", load)
    assert load.problems() == []


@pytest.mark.usefixtures("same_pods")
def test_upstream_connections_are_half_open(
    gateway: Gateway, upstream: kubepods.Upstream, spared: str, seen: Note
) -> None:
    """The network to an upstream goes dead without a word.

    Open streams end with an error within a minute, not in timeouts of many; a route with a second target goes on
    without a failure; and all is served once the network is back.
    """
    model, url = gateway.targets[0].model, gateway.release.url
    long = Group("stream", url, model, workers=4, stream=True, rounds=1, prompt="[[words 200]] [[pace 1]]")
    # A stream has a limit for its first token; a whole answer is broken off by the network alone.
    both = [Group(f"spared-{stream}", url, spared, pause=0.5, stream=stream) for stream in (True, False)]
    with gateway.load(*both) as load, gateway.streams(long) as streams:
        until(lambda: upstream.open_streams >= 4, what="four open streams")
        with harm.unreachable(gateway.release.pods(), port=PORT):
            harm.wait(60)
            broken = [answer for answer in streams.so_far if answer.problem is not None]
            load.wait_for_more(10)
        streams.finish()
    seen(f"4 open streams, the network dead for 60 s: {len(broken)} ended with an error; the spared route", load)
    assert len(broken) == 4, "a dead network showed only in the timeouts of the route"
    assert load.problems() == []
    with gateway.load(*steady(gateway)) as after:
        after.wait_for_more(40)
    assert after.problems() == []


@pytest.mark.usefixtures("same_pods")
def test_the_run_folder_is_full(gateway: Gateway, edited: str, seen: Note) -> None:
    """A pod's run folder is full.

    The pod serves what it had, the status of the edited route names pod and cause, and the pod catches up.
    """
    kube, place = gateway.kube, gateway.release.namespace
    well, ill = gateway.release.pods()
    folder = f"/run/claude-gateway/{BUNDLE_DIR}"
    groups = [Group(pod.name, f"http://{pod.ip}:4000", edited, pause=0.3) for pod in (well, ill)]
    with gateway.load(*groups, *steady(gateway)) as load:
        with harm.full(kube, ill, folder, container="agent", namespace=place):
            kube.kubectl(
                *("patch", "modelroute", "edited", "-n", place, "--type=json", "-p"),
                '[{"op": "replace", "path": "/spec/targets/0/model", "value": "anthropic/late"}]',
            )
            where = {"namespace": place, "name": "edited"}
            refused = kube.until_condition(
                "modelroute", ConditionType.PROGRAMMED, status="False", reason=Reason.REFUSED, **where
            )
            load.wait_for_more(40)
            during = load.so_far
        gateway.wait_live("modelroute/edited")
        load.wait_for_more(40)
    seen(f"Programmed said: {refused['message']}", load)
    assert load.problems() == []
    assert ill.name in refused["message"]
    assert [answer.served for answer in during if answer.group == ill.name][-1] == "early"
    assert [answer.served for answer in load.answers if answer.group == ill.name][-1] == "late"


@pytest.mark.usefixtures("same_pods")
def test_the_gateway_is_starved(gateway: Gateway, upstream: kubepods.Upstream, seen: Note) -> None:
    """A gateway gets a tenth of a core for a minute.

    No stream is cut, no request fails, and nothing is restarted.
    """
    starving, _ = gateway.release.pods()
    model = gateway.targets[0].model
    group = Group("stream", f"http://{starving.ip}:4000", model, workers=3, stream=True, rounds=1, prompt=LONG)
    with gateway.streams(group) as streams:
        until(lambda: upstream.open_streams == 3, what="three open streams")
        with gateway.load(*steady(gateway)) as load, harm.starved(starving, "gateway", share=0.1):
            harm.wait(60)
            load.wait_for_more(20)
        streams.finish()
    seen("10 % of a core for 60 s, with 3 streams open", load)
    assert streams.problems() == []
    assert load.problems() == []
