"""Statuses that stay truthful: of several releases, of one that leaves, of one that does not exist, and for GitOps."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.support.builders.objects import budget, credential, route, secret, sound, target
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster, url
from tests.support.kube.kstatus import kstatus
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.names import Kind, Reason

ROUTE = Kind.MODEL_ROUTE.value


def get(cluster: Cluster, name: str = "sonnet") -> dict[str, Any]:
    found: dict[str, Any] = cluster.api.get(url(ROUTE, cluster.home, name))
    return found


def releases(cluster: Cluster, name: str = "sonnet") -> dict[str, str]:
    """The releases with an entry, and what each says about ``Programmed``."""
    return {
        entry["name"]: next(c["status"] for c in entry["conditions"] if c["type"] == "Programmed")
        for entry in cluster.status(ROUTE, name).get("gateways", ())
    }


def test_a_new_object_waits_and_so_does_an_edited_one(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(*sound())
    fresh = get(cluster)
    assert kstatus(fresh) == ("InProgress", "ModelRoute generation is 1, but latest observed generation is 0")
    assert cluster.condition(ROUTE, "sonnet", "Ready") == ("Unknown", Reason.PENDING)
    with FakeAgent() as agent, Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install():
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: kstatus(get(cluster)) == ("Current", "Resource is Ready"))
    cluster.put(route(targets=[target(weight=3)]))
    assert kstatus(get(cluster))[0] == "InProgress", "nobody has seen the edit"


def test_what_is_wrong_stands_in_the_message_of_ready(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(route(targets=[target(credential="gone")]))
    with Operator(api, cluster.home).install():
        until(lambda: cluster.condition(ROUTE, "sonnet", "Ready") == ("False", Reason.CREDENTIAL_NOT_FOUND))
        status, message = kstatus(get(cluster))
        assert status == "InProgress"
        assert "spec.targets[0].credential" in message


def test_two_releases_have_an_entry_each_and_agree(api: ApiServer, cluster: Cluster) -> None:
    with FakeAgent() as agent:
        first = Operator(api, cluster.home, AGENT_PORT=str(agent.port), RESYNC_SECONDS="1").install()
        second = Operator(api, cluster.home, release="second", RESYNC_SECONDS="1").install()
        with first, second:
            cluster.put(*sound())
            until(lambda: cluster.routes())
            agent.report(serving(cluster.revision()))
            cluster.pods(agent)
            until(lambda: releases(cluster) == {"cg": "True", "second": "False"})
            until(lambda: cluster.condition(ROUTE, "sonnet", "Ready") == ("False", Reason.NO_READY_PODS))
            assert cluster.message(ROUTE, "sonnet", "Ready").startswith(f"Release {cluster.home}/second: ")
            until(lambda: undisturbed(cluster, first, second))
            cluster.put(route(gatewayRef={"name": "cg"}))
            until(lambda: releases(cluster) == {"cg": "True"})
            until(lambda: kstatus(get(cluster))[0] == "Current")


def undisturbed(cluster: Cluster, *operators: Operator) -> bool:
    """Whether further reconciliations of all operators left the object as it was."""
    before = get(cluster)["metadata"]["resourceVersion"]
    for operator in operators:
        count = operator.metric('reconciles_total{result="ok"}')
        until(lambda o=operator, n=count: o.metric('reconciles_total{result="ok"}') >= n + 2)  # type: ignore[misc]
    return bool(get(cluster)["metadata"]["resourceVersion"] == before)


def test_an_object_for_a_release_that_is_not_there_is_not_ready(api: ApiServer, cluster: Cluster) -> None:
    with FakeAgent() as agent, Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install():
        cluster.put(*sound())
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: cluster.condition(ROUTE, "sonnet", "Ready")[0] == "True")
        cluster.put(route(gatewayRef={"name": "typo"}))
        until(lambda: cluster.condition(ROUTE, "sonnet", "Programmed") == ("False", Reason.NOT_SERVED))
        until(lambda: releases(cluster) == {})
        assert cluster.condition(ROUTE, "sonnet", "Ready") == ("False", Reason.NOT_SERVED)
        assert "`typo`" in cluster.message(ROUTE, "sonnet", "Ready")


def test_an_uninstall_ends_every_claim_while_the_operator_still_runs(api: ApiServer, cluster: Cluster) -> None:
    settings = {"RESYNC_SECONDS": "1"}
    with FakeAgent() as agent, Operator(api, cluster.home, AGENT_PORT=str(agent.port), **settings).install() as op:
        cluster.put(*sound(), budget())
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: cluster.condition(ROUTE, "sonnet", "Programmed")[0] == "True")
        op.leave("--uninstall")
        objects = {"ClaudeCredential": "anthropic", "GatewayClient": "alice", "Budget": "everyone"}
        for kind, name in ((ROUTE, "sonnet"), *objects.items()):
            assert cluster.condition(kind, name, "Programmed") == ("False", Reason.NOT_SERVED)
            assert cluster.condition(kind, name, "Ready") == ("False", Reason.NOT_SERVED)
        assert undisturbed(cluster, op), "the operator does not claim it again"
        assert cluster.routes(), "it serves until it ends"


def test_a_namespace_that_is_watched_no_more_is_left(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team = new_namespace()
    with Operator(api, cluster.home, watch=[team]).install() as op:
        api.merge(
            f"/apis/apps/v1/namespaces/{cluster.home}/deployments/cg-operator",
            {"spec": {"template": {"spec": {"containers": [watching(team)]}}}},
        )
        cluster.put(*sound())
        cluster.put(secret(), credential(), route(models=["of-the-team"]), namespace=team)
        for within in (cluster.home, team):
            until(partial(unready, cluster, within))
        op.leave()
        assert cluster.condition(ROUTE, "sonnet", "Programmed", namespace=team) == ("False", Reason.NOT_SERVED)
        assert cluster.condition(ROUTE, "sonnet", "Programmed") == ("False", Reason.NO_READY_PODS)


def unready(cluster: Cluster, namespace: str) -> bool:
    found = cluster.condition(ROUTE, "sonnet", "Programmed", namespace=namespace)
    return found == ("False", Reason.NO_READY_PODS)


def watching(namespaces: str) -> dict[str, Any]:
    """The container of an operator that watches namespaces."""
    variable = {"name": "CLAUDE_GATEWAY_OPERATOR_WATCH_NAMESPACES", "value": namespaces}
    return {"name": "main", "image": "none", "env": [variable]}
