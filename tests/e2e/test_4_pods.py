"""Proxy pods that go: by accident, where only their own streams fail, and in order, where none does; one that stays."""

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, route
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

from claude_gateway.names import BUNDLE_DIR, Reason

BRIEF = "[[words 30]] [[pace 0.3]]"
LONG = "[[words 60]] [[pace 1]]"
"""A stream that is still open when two pods have been replaced one after the other."""


def test_a_killed_pod_takes_only_its_own_streams(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    model, pods = gateway.targets[0].model, gateway.release.pods()
    groups = [
        Group(pod.name, f"http://{pod.ip}:4000", model, workers=3, stream=True, rounds=1, prompt=BRIEF) for pod in pods
    ]
    killed, spared = pods
    with gateway.streams(*groups) as load:
        until(lambda: upstream.open_streams == 6, what="six open streams")
        place = ("-n", gateway.release.namespace)
        gateway.kube.kubectl("delete", "pod", killed.name, *place, "--force", "--grace-period=0")
        load.finish()
    assert load.problems(spared.name) == []
    assert len(load.problems(killed.name)) == 3

    gateway.kube.rolled(gateway.release.proxy, namespace=gateway.release.namespace)
    with gateway.load(*gateway.steady()) as after:
        after.wait_for_more(40)
    assert after.problems() == []


def test_a_rollout_cuts_no_stream_and_fails_no_request(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    release, before = gateway.release, {pod.uid for pod in gateway.release.pods()}
    streams = [
        Group(f"{target}-long", release.url, target.model, workers=3, stream=True, rounds=1, prompt=LONG, fresh=True)
        for target in gateway.targets
    ]
    with gateway.streams(*streams) as long:
        until(lambda: upstream.open_streams == 6, what="six open streams")
        with gateway.load(*gateway.steady()) as short:
            gateway.kube.kubectl("rollout", "restart", f"deployment/{release.proxy}", "-n", release.namespace)
            gateway.kube.rolled(release.proxy, namespace=release.namespace)
            short.wait_for_more(40)
        still_open = len(long.groups) * 3 - len(long.so_far)
        assert not before & {pod.uid for pod in release.pods()}
        long.finish()
    assert short.problems() == []
    assert still_open == 6, "the streams ended before the pods were replaced: the test proved nothing"
    assert long.problems() == []
    assert {answer.events >= 60 for answer in long.answers} == {True}


def test_a_pod_that_cannot_load_an_edit_is_told_and_serves_what_it_had(gateway: Gateway) -> None:
    kube, place = gateway.kube, gateway.release.namespace
    well, ill = gateway.release.pods()

    def let(mode: str) -> None:
        folder = f"/run/claude-gateway/{BUNDLE_DIR}/revisions"
        kube.kubectl("exec", ill.name, "-c", "agent", "-n", place, "--", "chmod", mode, folder)

    def edit(model: str) -> None:
        kube.apply(route("stuck", models=["claude-stuck"], model=model, credential="anthropic"), namespace=place)

    edit("anthropic/before")
    gateway.wait_live("modelroute/stuck")
    let("500")
    edit("anthropic/after")
    where = {"namespace": place, "name": "stuck"}
    refused = kube.until_condition("modelroute", "Programmed", status="False", reason=Reason.REFUSED, **where)
    assert ill.name in refused["message"]
    assert "cannot be written" in refused["message"]
    others = (f"gatewayclient/{gateway.pod}", "modelroute/anthropic", "modelroute/openai", "claudecredential/anthropic")
    gateway.wait_live(*others)
    groups = [Group(pod.name, f"http://{pod.ip}:4000", "claude-stuck", rounds=1, workers=1) for pod in (well, ill)]
    with gateway.load(*groups) as asked:
        asked.finish()
    assert asked.problems() == []
    assert {answer.group: answer.served for answer in asked.answers} == {well.name: "after", ill.name: "before"}
    let("700")
    gateway.wait_live("modelroute/stuck")
    kube.kubectl("delete", "modelroute", "stuck", "-n", place)
