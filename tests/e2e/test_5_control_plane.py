"""Operator and API server restarted, away and removed: traffic does not notice, and edits are live afterwards."""

import json
from collections.abc import Iterator

import pytest
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, route
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube.kubectl import CommandError
from tests.support.processes.waiting import until

MODEL = "claude-late"


@pytest.fixture
def late(gateway: Gateway) -> Iterator[Group]:
    """A route that is edited while the control plane is away, and a load on it."""
    place = gateway.release.namespace
    gateway.kube.apply(route("late", models=[MODEL], model="anthropic/early", credential="anthropic"), namespace=place)
    gateway.wait_live("modelroute/late")
    yield Group("late", gateway.release.url, MODEL, fresh=True, pause=0.1)
    gateway.kube.kubectl("delete", "modelroute", "late", "-n", place)


@pytest.fixture
def same_pods(gateway: Gateway) -> Iterator[None]:
    """Nothing in the test may restart or replace a proxy pod."""
    before = gateway.release.pods()
    yield
    assert [(pod.uid, pod.restarts) for pod in gateway.release.pods()] == [(pod.uid, pod.restarts) for pod in before]


def edit(gateway: Gateway) -> None:
    """Edit the route as a user does."""
    patch = {"spec": {"targets": [{"model": "anthropic/late", "credential": "anthropic"}]}}
    place = ("-n", gateway.release.namespace, "--type=merge")
    gateway.kube.kubectl("patch", "modelroute", "late", *place, "-p", json.dumps(patch))


@pytest.mark.usefixtures("same_pods")
def test_an_operator_that_is_away_changes_nothing(gateway: Gateway, late: Group) -> None:
    kube, release = gateway.kube, gateway.release
    operator = f"deployment/{release.operator}"
    with gateway.load(late, *gateway.steady()) as load:
        kube.kubectl("rollout", "restart", operator, "-n", release.namespace)
        kube.rolled(release.operator, namespace=release.namespace)
        load.wait_for_more(20)
        kube.kubectl("scale", operator, "--replicas=0", "-n", release.namespace)
        kube.kubectl("wait", "pods", "-l", release.selector(release.operator), "--for=delete", "-n", release.namespace)
        edit(gateway)
        load.wait_for_more(40)
        assert {answer.served for answer in load.so_far if answer.group == "late"} == {"early"}
        kube.kubectl("scale", operator, "--replicas=1", "-n", release.namespace)
        gateway.wait_live("modelroute/late")
        load.wait_for_more(40)
    assert load.problems() == []
    assert [answer.served for answer in load.answers if answer.group == "late"][-1] == "late"


@pytest.mark.usefixtures("same_pods")
def test_an_api_server_that_restarts_changes_nothing(gateway: Gateway, late: Group) -> None:
    with gateway.load(late, *gateway.steady()) as load:
        kubecluster.end_api_server()
        until(lambda: _answers(gateway), timeout=120, what="the API server to be back")
        load.wait_for_more(40)
        edit(gateway)
        gateway.wait_live("modelroute/late")
        load.wait_for_more(40)
    assert load.problems() == []
    assert [answer.served for answer in load.answers if answer.group == "late"][-1] == "late"


@pytest.mark.usefixtures("same_pods")
def test_a_removed_operator_leaves_traffic_alone_and_an_upgrade_brings_it_back(gateway: Gateway, late: Group) -> None:
    kube, release = gateway.kube, gateway.release
    with gateway.load(late, *gateway.steady()) as load:
        kube.kubectl("delete", "deployment", release.operator, "-n", release.namespace)
        until(lambda: not kube.exists("configmap", namespace=release.namespace, name=release.bundle))
        load.wait_for_more(40)
        edit(gateway)
        release.upgrade()
        gateway.wait_live("modelroute/late")
        load.wait_for_more(40)
    assert load.problems() == []
    assert [answer.served for answer in load.answers if answer.group == "late"][-1] == "late"
    gateway.secrets.extend(release.own_secrets)


def _answers(gateway: Gateway) -> bool:
    try:
        return gateway.kube.kubectl("get", "--raw", "/readyz", "--request-timeout=5s") == "ok"
    except CommandError:
        return False
