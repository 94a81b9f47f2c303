"""Budgets on a real API server: leases for the pods, what was spent in the status, and both after restarts."""

import json
import time

from tests.support.builders.objects import budget, sound
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway.contract.budget import Period, window
from claude_gateway.contract.report import BudgetUse, PodReport
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.release_names import allotment_name

_BUDGET = Kind.BUDGET.value
_DOLLAR = 1_000_000_000


def _key() -> str:
    return window(Period.MONTH, time.time()).key


def _allotments(cluster: Cluster) -> Allotments:
    url = f"/api/v1/namespaces/{cluster.home}/configmaps/{allotment_name(cluster.release)}"
    found = cluster.api.get(url) or {}
    return Allotments.model_validate(json.loads(found.get("data", {}).get(ALLOTMENT_JSON, "{}")))


def _leases(cluster: Cluster) -> dict[str, int]:
    name, leases = f"{cluster.home}/everyone", _allotments(cluster).leases
    return {pod: windows.get(name, {}).get(_key(), 0) for pod, windows in leases.items()}


def _spending(cluster: Cluster, spent: int, *, lease: int = 0) -> PodReport:
    report = serving(cluster.revision())
    assert report.gateway is not None
    use = BudgetUse(budget=f"{cluster.home}/everyone", window=_key(), spent=spent, used=spent, lease=lease)
    return report.model_copy(update={"gateway": report.gateway.model_copy(update={"budgets": (use,)})})


def _spent(cluster: Cluster) -> object:
    return cluster.status(_BUDGET, "everyone").get("budget", {}).get("spent")


def test_pods_get_leases_and_the_status_says_what_they_spent(
    api: ApiServer, cluster: Cluster, agent: FakeAgent
) -> None:
    cluster.put(*sound(), budget(amount="100"))
    with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install() as operator:
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent, ready=(True, True))
        until(lambda: _leases(cluster) == {"pod-0": 25 * _DOLLAR, "pod-1": 25 * _DOLLAR})
        until(lambda: cluster.condition(_BUDGET, "everyone", "Ready") == ("True", Reason.READY))
        agent.report(_spending(cluster, 20 * _DOLLAR, lease=25 * _DOLLAR))
        until(lambda: _allotments(cluster).spent.get(f"{cluster.home}/everyone") == {_key(): 40 * _DOLLAR})
        agent.report(_spending(cluster, 50 * _DOLLAR, lease=50 * _DOLLAR))
        until(lambda: _spent(cluster) == "100.00")
        until(lambda: cluster.condition(_BUDGET, "everyone", ConditionType.SPENT) == ("True", Reason.SPENT))
        assert cluster.status(_BUDGET, "everyone")["gateways"][0]["budget"]["usedPercent"] == 100
        assert operator.metric('writes_total{result="error",what="status"}') == 0


def test_restarts_and_the_loss_of_every_pod_forget_nothing(api: ApiServer, cluster: Cluster, agent: FakeAgent) -> None:
    cluster.put(*sound(), budget(amount="100"))
    with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install():
        until(lambda: cluster.routes())
        agent.report(_spending(cluster, 10 * _DOLLAR, lease=50 * _DOLLAR))
        cluster.pods(agent)
        until(lambda: _allotments(cluster).spent.get(f"{cluster.home}/everyone") == {_key(): 10 * _DOLLAR})
        lease = _leases(cluster)["pod-0"]
    # While nobody looks, the pod is gone.
    cluster.pods(agent, ready=())
    with Operator(api, cluster.home, AGENT_PORT=str(agent.port)):
        until(lambda: _allotments(cluster).gone == {f"{cluster.home}/everyone": {_key(): lease}})
        assert _allotments(cluster).leases == {}


def test_an_unknown_parent_and_a_circle_are_named_in_the_status(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(*sound(), budget(parent="nobody"), budget("a", parent="b"), budget("b", parent="a"))
    with Operator(api, cluster.home).install():
        until(lambda: cluster.condition(_BUDGET, "everyone", "ResolvedRefs") == ("False", Reason.PARENT_NOT_FOUND))
        until(lambda: cluster.condition(_BUDGET, "a", "Accepted") == ("True", Reason.PARTIALLY_ACCEPTED))
        assert "a → b → a are ancestors" in cluster.message(_BUDGET, "a", "Accepted")
