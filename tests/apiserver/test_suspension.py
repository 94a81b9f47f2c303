"""``spec.suspend`` on a real API server: one edit, and the bundle and the status say so."""

import pytest
from tests.support.builders.objects import Manifest, sound
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.names import Kind, Reason


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.MODEL_ROUTE, "sonnet"), (Kind.CLAUDE_CREDENTIAL, "anthropic"), (Kind.GATEWAY_CLIENT, "alice")],
)
def test_a_suspended_object_leaves_the_bundle_and_comes_back(api: ApiServer, home: str, kind: Kind, name: str) -> None:
    cluster = Cluster(api, home)

    def edit(*, suspend: bool) -> None:
        """Edit the object, and load what the operator makes of it, as a pod does."""
        before = cluster.revision()
        (manifest,) = [each for each in sound() if each["kind"] == kind]
        edited: Manifest = {**manifest, "spec": {**manifest["spec"], **({"suspend": True} if suspend else {})}}
        cluster.put(edited)
        until(lambda: cluster.revision() != before)
        agent.report(serving(cluster.revision()))

    with FakeAgent() as agent, Operator(api, home, AGENT_PORT=str(agent.port)).install():
        cluster.put(*sound())
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: cluster.condition(kind, name, "Ready")[0] == "True")
        edit(suspend=True)
        until(lambda: cluster.condition(kind, name, "Suspended") == ("True", Reason.SUSPENDED))
        until(lambda: cluster.condition(kind, name, "Programmed")[0] == "True")
        assert cluster.condition(kind, name, "Ready") == ("False", Reason.SUSPENDED)
        assert bool(cluster.policy().routes[0].targets) == (kind == Kind.GATEWAY_CLIENT)
        edit(suspend=False)
        until(lambda: cluster.condition(kind, name, "Ready")[0] == "True")
        assert cluster.policy().routes[0].targets
