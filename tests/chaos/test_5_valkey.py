"""Valkey, in which all pods count limits and budgets, is killed under load and stays away."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.chaos.seen import Note
from tests.e2e import spending
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release, new_client
from tests.support.kube import harm
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

SECONDS = 30
STREAMS = 5
VALKEY = (f"limits.valkey.address={kubepods.VALKEY_ADDRESS}",)


@pytest.fixture
def counted(gateway: Gateway) -> Iterator[Gateway]:
    """A release that counts in a Valkey which keeps its data; its client ``erin`` has no limits."""
    kube = gateway.kube
    kube.apply(*kubepods.valkey(keeps=True))
    kube.rolled("valkey", namespace=kubepods.UPSTREAM)
    release = Release(kube, name="counted", namespace="counted")
    release.install(*VALKEY)
    yield Gateway.furnish(release, client="erin")
    release.helm("uninstall", "--wait")
    kube.kubectl("delete", "namespace", release.namespace)
    kube.kubectl("delete", "pod", "erin", "frank", "-n", kubepods.CLIENTS, "--ignore-not-found")
    kube.kubectl("delete", "deployment/valkey", "service/valkey", "-n", kubepods.UPSTREAM)


def with_limits(counted: Gateway) -> Gateway:
    """Return the release with another client, ``frank``, who has limits that he never reaches."""
    release, kube = counted.release, counted.kube
    key = new_client(release, "frank")
    patch = json.dumps({"spec": {"limits": {"requestsPerMinute": 100_000}}})
    kube.kubectl("patch", "gatewayclient", "frank", "-n", release.namespace, "--type=merge", "-p", patch)
    kube.apply(*kubepods.client("frank", url=release.url, key=key))
    kube.wait("pod/frank", condition="Ready", namespace=kubepods.CLIENTS)
    limited = replace(counted, pod="frank", key=key)
    limited.wait_live("gatewayclient/frank")
    return limited


def test_valkey_is_killed(counted: Gateway, upstream: kubepods.Upstream, seen: Note) -> None:
    """Valkey is killed under load and stays away.

    Clients with limits are served without them or rejected, as `limits.whenUnavailable` says, and nobody else's request
    fails; once Valkey is back, budgets say to the cent what was served before, meanwhile and after.
    """
    limited = with_limits(counted)
    for policy in ("Allow", "Reject"):
        counted.release.upgrade(*VALKEY, f"limits.whenUnavailable={policy}")
        with spending.pool(counted, policy.lower(), "100.00") as pool:
            pods = counted.release.pods()
            brief = [spending.asking(pod, workers=2) for pod in pods]
            slow = [spending.streaming(pod, workers=STREAMS) for pod in pods]
            other = Group("limited", counted.release.url, spending.MODEL, fresh=True, pause=0.3)
            with counted.load(*brief) as load, limited.load(other) as limits, counted.streams(*slow) as streams:
                until(lambda: upstream.open_streams >= len(slow) * STREAMS, what="all streams to be open")  # noqa: B023
                with harm.valkey_away(counted.kube):
                    harm.wait(SECONDS)
                    load.wait_for_more(20)
                    during = limits.so_far[-1]
                load.wait_for_more(20)
                until(lambda: limits.so_far[-1].problem is None, what="clients with limits to be served")
            spent = spending.served([*load.answers, *streams.answers])
            refused = [text for text in limits.problems() if "status 503" in text]
            seen(f"{policy}: away for {SECONDS} s, {len(refused)} rejected, ${spent} served", load)
            assert load.problems() + streams.problems() == []
            assert limits.problems() == refused
            assert (during.problem is None, refused == []) == ((True, True) if policy == "Allow" else (False, False))
            pool.until_spent(spent)
