"""Limits and budgets that two proxy pods count together in a Valkey: exact, also when a pod dies, and without it."""

import json
from collections.abc import Iterator

import pytest
from tests.e2e import spending
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release
from tests.support.kube import harm
from tests.support.kube import pods as kubepods
from tests.support.processes.waiting import until

_AT_ONE_TIME = 4
_STREAM = "[[words 10]] [[pace 0.3]]"
_STREAMS = 20


@pytest.fixture(scope="module")
def limited(gateway: Gateway) -> Iterator[Gateway]:
    """A release that counts in a Valkey, with a client; while it is away, requests with limits are rejected."""
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
    furnished = Gateway.furnish(release, client="carol")
    gateway.secrets.extend([*furnished.secrets, *release.own_secrets])
    yield furnished
    release.remove(furnished.pod)
    kube.kubectl("delete", "deployment/valkey", "service/valkey", "-n", kubepods.UPSTREAM)


def test_pods_hold_a_limit_together_and_a_dead_pods_slots_stay_taken(
    limited: Gateway, upstream: kubepods.Upstream
) -> None:
    _limit(limited, concurrent=_AT_ONE_TIME)

    assert _most_streams(limited, upstream) == _AT_ONE_TIME
    assert _most_streams(limited, upstream, kill=True) <= _AT_ONE_TIME

    limited.kube.rolled(limited.release.proxy, namespace=limited.release.namespace)


def test_pods_count_a_budget_together_to_the_cent_also_when_one_is_killed(
    limited: Gateway, upstream: kubepods.Upstream
) -> None:
    _limit(limited)
    with spending.pool(limited, "together", "2.00") as pool:
        killed, spared = limited.release.pods()
        streams = [spending.streaming(pod, workers=_STREAMS) for pod in (killed, spared)]
        with limited.streams(*streams) as load:
            until(lambda: upstream.open_streams == 2 * _STREAMS, what="all streams to be open")
            harm.killed(limited.kube, killed, "gateway", namespace=limited.release.namespace)
        assert load.problems(spared.name) == []
        assert len(load.problems(killed.name)) == _STREAMS
        spent = spending.served(load.answers) + _STREAMS * spending.RESERVED

        # Nobody renews what the dead process had reserved: after a minute it counts as spent.
        with limited.load(spending.asking(spared, pause=2)) as after:
            until(lambda: max(pool.spent()) >= spent, timeout=120, what="the reservations of the dead process to count")
        assert after.problems() == []
        spent += spending.served(after.answers)
        pool.until_spent(spent)

        spent += spending.served(pool.exhaust())
        pool.until_spent(spent)
        pool.assert_spent(spent)


def test_while_valkey_is_away_limits_reject_and_budgets_go_on_with_leases(limited: Gateway) -> None:
    kube, place = limited.kube, ("-n", kubepods.UPSTREAM)
    with spending.pool(limited, "away", "0.60") as pool:
        _limit(limited, concurrent=100)
        groups = [spending.asking(pod, rounds=2) for pod in limited.release.pods()]
        asked = pool.ask(*groups)
        assert [answer.problem for answer in asked] == [None] * 4
        pool.until_spent(spending.served(asked))

        def rejected() -> bool:
            asked.extend(pool.ask(*groups))
            return all((answer.problem or "").startswith("status 503") for answer in asked[-4:])

        kube.kubectl("scale", "deployment/valkey", "--replicas=0", *place)
        until(rejected, what="requests with limits to be rejected")
        _limit(limited)
        asked += pool.ask(*groups)
        assert [answer.problem for answer in asked[-4:]] == [None] * 4
        _limit(limited, concurrent=100)
        assert rejected()

        # It comes back empty, and learns from the pods what it knew and what it missed.
        kube.kubectl("scale", "deployment/valkey", "--replicas=1", *place)
        kube.rolled("valkey", namespace=kubepods.UPSTREAM)
        pool.until_spent(spending.served(asked))
        asked += pool.exhaust()
        pool.until_spent(spending.served(asked))
        pool.assert_spent(spending.served(asked))


def _limit(limited: Gateway, **limits: int) -> None:
    """Set the limits of the client, or take them away, and wait until every pod knows."""
    place = ("-n", limited.release.namespace)
    patch = json.dumps({"spec": {"limits": limits or None}})
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
