"""A route's status says which targets the proxy pods have ejected, on a real API server."""

from tests.support.builders.objects import sound
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.report import EjectedTarget, PodReport
from claude_gateway.names import ConditionType, Kind, Reason

_ROUTE = Kind.MODEL_ROUTE.value
_UNTIL = 4_000_000_000.0


def ejected(cluster: Cluster) -> PodReport:
    """The pod serves the bundle and has ejected the only target."""
    target = cluster.policy().routes[0].targets[0].id
    report = serving(cluster.revision())
    assert report.gateway is not None
    found = EjectedTarget(target=target, reason="overloaded", since=_UNTIL - 90, until=_UNTIL)
    return report.model_copy(update={"gateway": report.gateway.model_copy(update={"ejected": (found,)})})


def test_ejected_targets_are_in_the_status_until_they_answer(
    api: ApiServer, cluster: Cluster, agent: FakeAgent
) -> None:
    cluster.put(*sound())
    with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install() as operator:
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: cluster.condition(_ROUTE, "sonnet", "Ready") == ("True", Reason.READY))
        agent.report(ejected(cluster))
        until(lambda: cluster.condition(_ROUTE, "sonnet", ConditionType.TARGETS_EJECTED) == ("True", Reason.EJECTED))
        assert cluster.condition(_ROUTE, "sonnet", "Ready") == ("True", Reason.READY)
        agent.report(serving(cluster.revision()))
        until(lambda: "Ejected" not in str(cluster.status(_ROUTE, "sonnet")))
        assert operator.metric('writes_total{result="error",what="status"}') == 0
