"""Credentials on a real API server: its own ServiceAccount tokens at Anthropic's stand-in, and truthful statuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.bundles import route as served_route
from tests.support.builders.bundles import target as served_target
from tests.support.builders.objects import credential, federated, route, secret, sound
from tests.support.builders.service_accounts import AUDIENCE
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.federation import ANSWER, FEDERATION, Anthropic, anthropic
from tests.support.processes.inprocess import gateway
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.login import Outcome
from claude_gateway.contract.report import CredentialReport, PodReport
from claude_gateway.names import Kind, Reason

CREDENTIAL = Kind.CLAUDE_CREDENTIAL.value
_ASK = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_AT = 1_795_000_000.0


def projected(api: ApiServer, namespace: str, account: str, *, audience: str = AUDIENCE) -> str:
    """A token as the kubelet asks for it and writes it into a projected volume."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": 3600},
    }
    made = api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", request)
    token: str = made["status"]["token"]
    return token


@pytest.fixture
def account(api: ApiServer, home: str) -> str:
    """The ServiceAccount of the proxy pods."""
    name = "cg-proxy"
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": home}}
    api.create(f"/api/v1/namespaces/{home}/serviceaccounts", manifest)
    return name


def vendor(api: ApiServer, home: str, account: str) -> Anthropic:
    """Anthropic, where the cluster is registered as an issuer with its own keys."""
    jwks = api.get("/openid/v1/jwks")
    found = json.loads(jwks) if isinstance(jwks, str) else jwks
    issuer = api.get("/.well-known/openid-configuration")["issuer"]
    return Anthropic(found, issuer=issuer, subject=f"system:serviceaccount:{home}:{account}")


async def asked(token: str, at: Anthropic, folder: Path) -> tuple[int, list[int]]:
    """Send one request with this ServiceAccount token; returns its status and those of the exchanges."""
    (folder / "token").write_text(token)
    async with anthropic(at):
        given = served_target(base_url=at.url, federation=FEDERATION)
        async with gateway(served_route("*", targets=[given]), token_file=folder / "token") as gw:
            answer = await gw.post("/v1/messages", _ASK)
            body = json.loads(await answer.read())
            assert answer.status != 200 or body == {**ANSWER, "model": "claude"}
            return answer.status, at.exchanges


async def test_a_token_of_this_cluster_is_exchanged(api: ApiServer, home: str, account: str, tmp_path: Path) -> None:
    token = projected(api, home, account)
    assert await asked(token, vendor(api, home, account), tmp_path) == (200, [200])


async def test_a_token_for_another_audience_is_refused(api: ApiServer, home: str, account: str, tmp_path: Path) -> None:
    token = projected(api, home, account, audience="https://kubernetes.default.svc")
    assert await asked(token, vendor(api, home, account), tmp_path) == (502, [401])


async def test_a_token_of_another_account_is_refused(api: ApiServer, home: str, account: str, tmp_path: Path) -> None:
    token = projected(api, home, account)
    assert await asked(token, vendor(api, home, "another"), tmp_path) == (502, [401])


def answered(cluster: Cluster, outcome: Outcome, answer: str, *, at: float = _AT) -> PodReport:
    """The pod serves the bundle, and this is what the upstream said of its only credential."""
    name = cluster.policy().routes[0].targets[0].credential or ""
    said = CredentialReport(credential=name, outcome=outcome, asked="Messages", answer=answer, at=at)
    report = serving(cluster.revision())
    assert report.gateway is not None
    return report.model_copy(update={"gateway": report.gateway.model_copy(update={"credentials": (said,)})})


def events(cluster: Cluster) -> list[str]:
    listed = cluster.api.get(f"/api/v1/namespaces/{cluster.home}/events")["items"]
    return [e["reason"] for e in listed if e["involvedObject"]["kind"] == CREDENTIAL]


def last(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.status(CREDENTIAL, "anthropic").get("credential", {}).get("lastAnswer", {})
    return found


def test_what_the_upstream_says_is_in_the_status(api: ApiServer, cluster: Cluster, agent: FakeAgent) -> None:
    cluster.put(*sound())
    with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install() as operator:
        until(lambda: cluster.routes())
        agent.report(serving(cluster.revision()))
        cluster.pods(agent)
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Valid") == ("Unknown", Reason.NOT_USED))
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Ready") == ("True", Reason.READY))
        agent.report(answered(cluster, Outcome.OK, "200"))
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Valid") == ("True", Reason.VALID))
        agent.report(answered(cluster, Outcome.REJECTED, "401 invalid x-api-key", at=_AT + 1))
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Valid") == ("False", Reason.REJECTED))
        assert cluster.condition(CREDENTIAL, "anthropic", "Ready") == ("False", Reason.REJECTED)
        assert last(cluster)["answer"] == "401 invalid x-api-key"
        assert cluster.condition(Kind.MODEL_ROUTE.value, "sonnet", "Ready") == ("True", Reason.READY)
        until(lambda: Reason.REJECTED in events(cluster), what="an Event")
        agent.report(answered(cluster, Outcome.OK, "200", at=_AT + 2))
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Valid") == ("True", Reason.VALID))
        until(lambda: Reason.VALID in events(cluster), what="an Event")
        assert events(cluster).count(Reason.REJECTED) == 1
        assert operator.metric('writes_total{result="error",what="status"}') == 0


def test_a_key_that_somebody_writes_is_taken_up(api: ApiServer, cluster: Cluster) -> None:
    """By hand, or by a controller that applies fields of its own and patches them later."""
    with Operator(api, cluster.home).install():
        cluster.put(credential(), route())
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs") == ("False", Reason.SECRET_NOT_FOUND))
        cluster.put(secret())
        until(lambda: cluster.routes(), what="the key by hand")
        before = cluster.entries()
        path = f"/api/v1/namespaces/{cluster.home}/secrets/keys"
        api.apply(path, secret(namespace=cluster.home, values={"api": "sk-written-by-a-controller"}), manager="eso")
        until(lambda: cluster.entries() not in (set(), before), what="the key of the controller")
        between = cluster.entries()
        api.merge(path, {"stringData": {"api": "sk-rotated-by-a-controller"}})
        until(lambda: cluster.entries() not in (set(), before, between), what="the rotated key")


def test_a_federation_needs_tokens_in_the_pods(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(federated(), route())
    with Operator(api, cluster.home).install():
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "Accepted") == ("False", Reason.IDENTITY_NOT_ALLOWED))
        assert "proxy.workloadIdentity.enabled" in cluster.message(CREDENTIAL, "anthropic", "Accepted")


def test_a_federation_holds_no_secret(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(federated(), route())
    with Operator(api, cluster.home, IDENTITY_TOKEN="true").install():
        until(lambda: cluster.routes(), what="the route")
        assert cluster.entries() == set()
