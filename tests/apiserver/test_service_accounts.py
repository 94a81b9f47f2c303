"""Clients on a real API server: pods with its own ServiceAccount tokens, and when a client was last used."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.apiserver.test_credentials import projected
from tests.support.builders.bundles import route as served_route
from tests.support.builders.bundles import target as served_target
from tests.support.builders.objects import manifest, sound
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.report import ClientUse
from claude_gateway.names import Kind

_CLIENT = Kind.GATEWAY_CLIENT.value


def _account(api: ApiServer, namespace: str, name: str) -> None:
    written = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", written)


@pytest.fixture
def operator(api: ApiServer, home: str) -> Iterator[Operator]:
    """A running operator with exactly the rights of ``rights.py``."""
    with Operator(api, home).install() as running:
        yield running


def _served(cluster: Cluster) -> Policy | None:
    """The policy that is stored, once it has the keys of the cluster."""
    bundle = cluster.bundle()
    policy = None if bundle is None else Policy.model_validate_json(bundle.gateway)
    return policy if policy is not None and policy.cluster is not None else None


def _asked(gateway: LoneGateway, token: str) -> tuple[int, Any]:
    reply = gateway.call("GET", "/v1/models", headers={"authorization": f"Bearer {token}"})
    return reply.status, reply.json


def test_a_pod_calls_with_its_own_token_and_no_other(api: ApiServer, home: str, operator: Operator) -> None:
    cluster = Cluster(api, home)
    for name in ("runner", "stranger"):
        _account(api, home, name)
    cluster.put(manifest(Kind.GATEWAY_CLIENT, "ci", {"serviceAccounts": [{"name": "runner"}]}))
    policy = until(lambda: _served(cluster), what="the keys of the cluster in the bundle")
    assert policy is not None
    assert policy.cluster is not None
    assert policy.cluster.issuer == "https://kubernetes.default.svc"
    audience = policy.cluster.audience
    assert audience.startswith(f"claude-gateway/{home}/")
    shown = policy.model_copy(update={"routes": (served_route("m", targets=[served_target(base_url="http://x")]),)})
    bundle = Bundle(gateway=shown.model_dump_json(by_alias=True).encode(), litellm=b"", secrets={})
    with LoneGateway(bundle) as gateway:
        assert _asked(gateway, projected(api, home, "runner", audience=audience))[0] == 200
        for token, words in (
            (projected(api, home, "runner", audience="https://kubernetes.default.svc"), "another audience"),
            (projected(api, home, "runner", audience=audience.replace(home, "other")), "another audience"),
            (projected(api, home, "stranger", audience=audience), "ServiceAccount"),
        ):
            status, body = _asked(gateway, token)
            assert (status, words in json.dumps(body)) == (401, True)


def test_a_status_says_when_its_client_was_last_used(api: ApiServer, home: str) -> None:
    cluster = Cluster(api, home)
    cluster.put(*sound())
    with FakeAgent() as agent, Operator(api, home, AGENT_PORT=str(agent.port)).install() as operator:
        until(lambda: cluster.routes(), what="the bundle")
        report = serving(cluster.revision())
        assert report.gateway is not None
        used = (ClientUse(client=f"{home}/alice", at=1_795_000_000.0),)
        agent.report(report.model_copy(update={"gateway": report.gateway.model_copy(update={"clients": used})}))
        cluster.pods(agent)
        until(lambda: cluster.status(_CLIENT, "alice").get("lastUsed"), what="the last use")
        assert cluster.status(_CLIENT, "alice")["lastUsed"] == "2026-11-18T11:06:40Z"
        assert cluster.status(_CLIENT, "alice")["gateways"][0]["lastUsed"] == "2026-11-18T11:06:40Z"
        assert operator.metric('writes_total{result="error",what="status"}') == 0


def test_a_status_warns_of_certificates_that_nobody_verifies(api: ApiServer, home: str) -> None:
    cluster = Cluster(api, home)
    cluster.put(manifest(Kind.GATEWAY_CLIENT, "people", {"certificates": [{"email": "alice@example.com"}]}))

    def warned() -> bool:
        return cluster.condition(_CLIENT, "people", "Warnings") == ("True", "CertificatesUnverified")

    with Operator(api, home).install():
        until(warned)
        assert cluster.condition(_CLIENT, "people", "Accepted")[0] == "True"
        said = cluster.message(_CLIENT, "people", "Warnings")
        assert said.startswith("spec.certificates: nothing verifies client certificates here")
        assert "`tls.clientCA` or `clients.proxyCertificates`" in said
    with Operator(api, home, CLIENT_CERTIFICATES="true"):
        until(lambda: not any(each["type"] == "Warnings" for each in cluster.status(_CLIENT, "people")["conditions"]))
