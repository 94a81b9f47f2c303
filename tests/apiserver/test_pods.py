"""Programmed and Ready, from what a pod's agent says."""

from collections.abc import Iterator

import pytest
from tests.support.builders.objects import CLIENT_KEY, client, credential, route, secret, sound, target
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster, url
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.report import PodReport
from claude_gateway.names import Kind, Reason

ROUTE, CREDENTIAL, CLIENT = Kind.MODEL_ROUTE.value, Kind.CLAUDE_CREDENTIAL.value, Kind.GATEWAY_CLIENT.value
ALL = ((ROUTE, "sonnet"), (CREDENTIAL, "anthropic"), (CLIENT, "alice"))
ROTATED = "sk-test-rotated-upstream-key-0123456789"


@pytest.fixture
def operator(api: ApiServer, home: str, agent: FakeAgent) -> Iterator[Operator]:
    """A running operator."""
    with Operator(api, home, AGENT_PORT=str(agent.port)).install() as running:
        yield running


def live(cluster: Cluster, agent: FakeAgent) -> str:
    """Put one of each, wait until a pod serves it and every status says so, and return the revision."""
    cluster.put(*sound())
    until(lambda: cluster.routes() and cluster.clients(), what="the bundle")
    revision = cluster.revision()
    assert revision is not None
    agent.report(serving(revision))
    cluster.pods(agent)
    for kind, name in ALL:
        until(lambda k=kind, n=name: cluster.condition(k, n, "Ready") == ("True", Reason.READY), what=name)  # type: ignore[misc]
    return revision


def answer(cluster: Cluster, name: str = "sonnet", kind: str = ROUTE) -> tuple[str, str]:
    return cluster.condition(kind, name, "Programmed")


def test_what_a_ready_pod_serves_is_programmed(operator: Operator, cluster: Cluster, agent: FakeAgent) -> None:
    live(cluster, agent)
    for kind, name in ALL:
        assert answer(cluster, name, kind) == ("True", Reason.PROGRAMMED)
    assert {token for token in agent.tokens if token != "Bearer "} == {f"Bearer {cluster.token()}"}


def test_an_edit_is_pending_until_the_pod_serves_it_and_nobody_else_notices(
    operator: Operator, cluster: Cluster, agent: FakeAgent
) -> None:
    before = live(cluster, agent)
    cluster.put(route(targets=[target(weight=7)]))
    until(lambda: cluster.revision() != before)
    until(lambda: answer(cluster) == ("False", Reason.PENDING))
    assert cluster.condition(ROUTE, "sonnet", "Ready") == ("False", Reason.PENDING)
    cluster.put(route("more", models=["more"]))
    until(lambda: answer(cluster, "more") == ("False", Reason.PENDING))
    for kind, name in ((CREDENTIAL, "anthropic"), (CLIENT, "alice")):
        assert answer(cluster, name, kind) == ("True", Reason.PROGRAMMED)
    agent.report(serving(cluster.revision()))
    until(lambda: answer(cluster) == ("True", Reason.PROGRAMMED))
    until(lambda: cluster.condition(ROUTE, "sonnet", "Ready") == ("True", Reason.READY))


def test_a_pod_that_cannot_load_it_says_why(operator: Operator, cluster: Cluster, agent: FakeAgent) -> None:
    before = live(cluster, agent)
    cluster.put(route(targets=[target(weight=7)]))
    until(lambda: cluster.revision() != before)
    report = serving(before).model_copy(update={"wanted": cluster.revision(), "error": "the disk is full"})
    agent.report(report)
    until(lambda: answer(cluster) == ("False", Reason.REFUSED))
    assert answer(cluster, "alice", CLIENT) == ("True", Reason.PROGRAMMED)
    agent.report(serving(cluster.revision()))
    until(lambda: answer(cluster) == ("True", Reason.PROGRAMMED))


def test_no_ready_pod_and_a_pod_that_comes_back(operator: Operator, cluster: Cluster, agent: FakeAgent) -> None:
    live(cluster, agent)
    cluster.pods(agent, ready=(False,))
    until(lambda: answer(cluster) == ("False", Reason.NO_READY_PODS))
    cluster.pods(agent, ready=(True, False))
    until(lambda: answer(cluster) == ("True", Reason.PROGRAMMED))


def test_a_worker_that_lags_behind_is_pending(operator: Operator, cluster: Cluster, agent: FakeAgent) -> None:
    before = live(cluster, agent)
    cluster.put(route(targets=[target(weight=7)]))
    after = until(lambda: cluster.revision() if cluster.revision() != before else None)
    agent.report(serving(after, litellm=before))
    until(lambda: answer(cluster) == ("False", Reason.PENDING))
    agent.report(serving(after))
    until(lambda: answer(cluster) == ("True", Reason.PROGRAMMED))


def test_old_entries_go_once_the_pods_serve_the_new_ones(
    operator: Operator, cluster: Cluster, agent: FakeAgent
) -> None:
    before = live(cluster, agent)
    old = cluster.entries()
    cluster.put(secret(values={"api": ROTATED, "client": CLIENT_KEY}))
    after = until(lambda: cluster.revision() if cluster.revision() != before else None)
    assert old < cluster.entries(), "the pod still needs the old key"
    until(lambda: answer(cluster, "anthropic", CREDENTIAL) == ("False", Reason.PENDING))
    agent.report(serving(after))
    until(lambda: len(cluster.entries()) == len(old), what="the old key's end")
    assert cluster.revision() == after
    assert ROTATED in {value.decode() for value in cluster.bundle().secrets.values()}  # type: ignore[union-attr]


def test_a_pod_that_is_several_edits_late_changes_no_other_object(
    operator: Operator, cluster: Cluster, agent: FakeAgent
) -> None:
    written = [live(cluster, agent)]
    before = cluster.api.get(url(ROUTE, cluster.home, "sonnet"))
    for name in ("first", "second", "third"):
        cluster.put(route(name, models=[name]))
        written.append(until(lambda: cluster.revision() if cluster.revision() not in written else None) or "")
    agent.report(serving(written[1]))
    until(lambda: answer(cluster, "first") == ("True", Reason.PROGRAMMED))
    assert answer(cluster, "third") == ("False", Reason.PENDING)
    after = cluster.api.get(url(ROUTE, cluster.home, "sonnet"))
    assert after["status"] == before["status"]


def test_a_restarted_operator_knows_what_the_pods_serve(
    api: ApiServer, home: str, cluster: Cluster, agent: FakeAgent
) -> None:
    operator = Operator(api, home, AGENT_PORT=str(agent.port)).install()
    with operator:
        before = live(cluster, agent)
    cluster.put(route("other", models=["other"]))
    first = cluster.api.get(f"/apis/claudegateway.io/v1alpha1/namespaces/{home}/modelroutes/sonnet")["status"]
    with operator:
        until(lambda: cluster.revision() != before)
        until(lambda: answer(cluster, "other") == ("False", Reason.PENDING))
        assert answer(cluster) == ("True", Reason.PROGRAMMED), "its slice is in the revision that the pod serves"
        now = cluster.api.get(f"/apis/claudegateway.io/v1alpha1/namespaces/{home}/modelroutes/sonnet")["status"]
        assert now == first


def test_a_silent_pod_holds_up_what_is_edited_and_nothing_else(
    operator: Operator, cluster: Cluster, agent: FakeAgent
) -> None:
    live(cluster, agent)
    agent.report(PodReport())
    cluster.put(route("more", models=["more"]))
    until(lambda: answer(cluster, "more") == ("False", Reason.PENDING))
    assert "pod pod-0 is ready but does not report" in cluster.message(ROUTE, "more", "Ready")
    for kind, name in ALL:
        assert answer(cluster, name, kind) == ("True", Reason.PROGRAMMED)
    agent.report(serving(cluster.revision()))
    until(lambda: answer(cluster, "more") == ("True", Reason.PROGRAMMED))


def test_an_operator_without_pods_to_ask_still_serves(operator: Operator, cluster: Cluster) -> None:
    cluster.put(secret(), credential(), client(), route())
    until(lambda: answer(cluster) == ("False", Reason.NO_READY_PODS))
    assert cluster.routes()
