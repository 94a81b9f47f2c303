"""From the last release to this tree and back, under load: no request fails and no stream is cut."""

from dataclasses import replace
from typing import Final

from tests.e2e.pods.load import Group
from tests.e2e.release import CHART, Gateway, Release, route
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

LONG: Final = "[[words 150]] [[pace 1]]"
"""A stream that is open for longer than an upgrade may take."""


def test_an_upgrade_from_the_last_release_loses_nothing(older: Gateway) -> None:
    upstream = kubepods.Upstream(older.kube)
    newer = replace(older.release, chart=CHART, built=kubecluster.BUILT)
    pods = [_pods(older.release)]
    key = older.release.bootstrap_key
    long = [
        Group(f"{target}-long", newer.url, target.model, stream=True, rounds=1, prompt=LONG, fresh=True)
        for target in older.targets
    ]
    with older.streams(*long) as streams:
        until(lambda: upstream.open_streams == 4, what="four open streams")
        with older.load(*older.steady()) as load:
            newer.upgrade()
            pods.append(_pods(newer))
            still_open = 4 - len(streams.so_far)
            load.wait_for_more(20)
            _edit(older, "anthropic/added")
            newer.helm("rollback", "--wait", "--timeout", "180s")
            pods.append(_pods(newer))
            load.wait_for_more(40)
            _edit(older, "anthropic/edited")
        streams.finish()
    assert load.problems() == []
    assert still_open == 4, "the streams ended before the pods were replaced: the test proved nothing"
    assert streams.problems() == []
    assert {answer.events >= 150 for answer in streams.answers} == {True}
    assert not pods[0] & pods[1]
    assert not pods[1] & pods[2]
    assert newer.bootstrap_key == key


def _pods(release: Release) -> set[str]:
    return {pod.uid for pod in release.pods()}


def _edit(gateway: Gateway, model: str) -> None:
    """Write a route, and expect that it and all that the older release wrote are served by every pod."""
    written = route("added", models=["claude-added"], model=model, credential="anthropic")
    gateway.kube.apply(written, namespace=gateway.release.namespace)
    gateway.wait_live("modelroute/added", "modelroute/anthropic", "modelroute/openai", f"gatewayclient/{gateway.pod}")
