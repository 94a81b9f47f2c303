"""Limits that two proxy pods count together in a Valkey: exact, also when a pod dies, and a setting without Valkey."""

import json

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

_AT_ONE_TIME = 4
_STREAM = "[[words 10]] [[pace 0.3]]"


def test_pods_hold_a_limit_together_and_a_dead_pods_slots_stay_taken(
    gateway: Gateway, upstream: kubepods.Upstream
) -> None:
    kube = gateway.kube
    kube.apply(*kubepods.valkey())
    kube.rolled("valkey", namespace=kubepods.UPSTREAM)
    release = Release(kube, name="limited", namespace="limited")
    release.install(
        "proxy.replicas=2",
        f"limits.valkey.address={kubepods.VALKEY_ADDRESS}",
        "limits.whenUnavailable=Reject",
        "limits.queueSeconds=60",
    )
    limited = Gateway.furnish(release, client="carol")
    gateway.secrets.extend([*limited.secrets, *release.own_secrets])
    _limit(limited, concurrent=_AT_ONE_TIME)

    assert _most_streams(limited, upstream) == _AT_ONE_TIME
    assert _most_streams(limited, upstream, kill=True) <= _AT_ONE_TIME

    kube.rolled(release.proxy, namespace=release.namespace)
    _limit(limited, concurrent=100)
    place = ("-n", kubepods.UPSTREAM)
    kube.kubectl("scale", "deployment/valkey", "--replicas=0", *place)
    until(lambda: (_asked(limited) or "").startswith("status 503"), what="requests with limits to be rejected")
    kube.kubectl("scale", "deployment/valkey", "--replicas=1", *place)
    until(lambda: _asked(limited) is None, timeout=60, what="requests with limits to be served again")

    release.helm("uninstall", "--wait")
    kube.kubectl("delete", "namespace", release.namespace)
    kube.kubectl("delete", "pod", limited.pod, "-n", kubepods.CLIENTS)
    kube.kubectl("delete", "deployment/valkey", "service/valkey", *place)


def _limit(limited: Gateway, **limits: int) -> None:
    """Set the limits of the client, and wait until every pod has them."""
    place = ("-n", limited.release.namespace)
    patch = json.dumps({"spec": {"limits": limits}})
    limited.kube.kubectl("patch", "gatewayclient", limited.pod, *place, "--type", "merge", "-p", patch)
    limited.wait_live(f"gatewayclient/{limited.pod}")


def _most_streams(limited: Gateway, upstream: kubepods.Upstream, *, kill: bool = False) -> int:
    """Ask both pods for many more streams than may run; returns how many ran at one time. ``kill`` one pod meanwhile.

    Whatever asked a pod that lives is answered; beside a dead one, whose slots stay taken for a minute, it may also be
    rejected after its wait.
    """
    kube, release = limited.kube, limited.release
    pods = release.pods()
    model = limited.targets[0].model
    groups = [
        Group(pod.name, f"http://{pod.ip}:4000", model, workers=8, stream=True, rounds=1, prompt=_STREAM)
        for pod in pods
    ]
    most = 0
    with limited.streams(*groups) as load:

        def ended() -> bool:
            nonlocal most
            most = max(most, upstream.open_streams)
            return len(load.so_far) == sum(group.workers for group in groups)

        until(lambda: upstream.open_streams > 0, what="an open stream")
        if kill:
            kube.kubectl("delete", "pod", pods[0].name, "-n", release.namespace, "--force", "--grace-period=0")
        until(ended, timeout=120, what="all answers")
    lived = pods[1:] if kill else pods
    wrong = [problem for pod in lived for problem in load.problems(pod.name)]
    assert [problem for problem in wrong if not kill or "status 429" not in problem] == []
    return most


def _asked(limited: Gateway) -> str | None:
    """Send one request; returns what was wrong with its answer."""
    group = Group("one", limited.release.url, limited.targets[0].model, workers=1, rounds=1, stream=False)
    with limited.load(group) as load:
        load.finish()
    return load.answers[0].problem
