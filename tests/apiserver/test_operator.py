"""The operator as it is run, with the rights that it gets, on a real API server."""

import base64
import os
from collections.abc import Iterator

import pytest
from tests.support.builders.objects import (
    API_KEY,
    CLIENT_KEY,
    client,
    credential,
    route,
    secret,
    sound,
    target,
)
from tests.support.kube.apiserver import ApiError, ApiServer
from tests.support.kube.cluster import Cluster, url
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import load
from claude_gateway.names import LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.release_names import operator_name

ROUTE, CREDENTIAL, CLIENT = Kind.MODEL_ROUTE.value, Kind.CLAUDE_CREDENTIAL.value, Kind.GATEWAY_CLIENT.value
ROTATED = "sk-test-rotated-upstream-key-0123456789"


@pytest.fixture
def operator(api: ApiServer, home: str) -> Iterator[Operator]:
    """A running operator with exactly the rights of ``rights.py``."""
    with Operator(api, home).install() as running:
        yield running


def test_a_full_pass_with_the_least_rights(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound(), route("bad", models=["bad"], targets=[target(credential="gone")]))
    until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"}, what="the bundle")
    for kind, name in ((ROUTE, "sonnet"), (CREDENTIAL, "anthropic"), (CLIENT, "alice")):
        until(lambda k=kind, n=name: cluster.condition(k, n, "Accepted") == ("True", "Accepted"), what=name)  # type: ignore[misc]
        assert cluster.condition(kind, name, "ResolvedRefs") == ("True", "ResolvedRefs")
        assert cluster.condition(kind, name, "Programmed") == ("False", Reason.NO_READY_PODS)
        assert cluster.condition(kind, name, "Ready") == ("False", Reason.NO_READY_PODS)
    assert cluster.clients() == {f"{cluster.home}/alice"}
    until(lambda: events(cluster) == {"modelroute/bad"}, what="an Event of what is wrong, and of nothing else")
    assert operator.metric('reconciles_total{result="error"}') == 0
    assert operator.metric('writes_total{result="error",what="event"}') == 0
    assert operator.healthy() == 200
    assert "forbidden" not in operator.lines()


def events(cluster: Cluster) -> set[str]:
    listed = cluster.api.get(f"/api/v1/namespaces/{cluster.home}/events")["items"]
    return {f"{e['involvedObject']['kind'].lower()}/{e['involvedObject']['name']}" for e in listed}


def test_no_secret_is_anywhere_but_in_the_secret_part(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound(), route("bad", models=["bad"], targets=[target(credential="gone")]))
    until(lambda: cluster.routes())
    until(lambda: events(cluster))
    texts = [str(cluster.config()), str(cluster.api.get(f"/api/v1/namespaces/{cluster.home}/events")), operator.lines()]
    texts += [str(cluster.api.get(url(kind, cluster.home, "").rstrip("/"))) for kind in (ROUTE, CREDENTIAL, CLIENT)]
    values = [API_KEY, CLIENT_KEY, cluster.token()]
    values += [base64.b64encode(value.encode()).decode() for value in values]
    assert not [value for value in values for text in texts if value in text]
    assert CLIENT_KEY not in str({k: base64.b64decode(v) for k, v in (cluster.secret() or {})["data"].items()})


def test_what_it_owns_goes_with_its_deployment(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.revision())
    path = f"/apis/apps/v1/namespaces/{cluster.home}/deployments/{operator_name('cg')}"
    uid = cluster.api.get(path)["metadata"]["uid"]
    for found in (cluster.config(), cluster.secret()):
        assert found is not None
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Deployment", uid)
        assert "finalizers" not in found["metadata"]
    mine = cluster.api.get(url(ROUTE, cluster.home, "sonnet"))["metadata"]
    assert "finalizers" not in mine
    assert "annotations" not in mine


def test_a_reconciliation_without_changes_writes_nothing(api: ApiServer, cluster: Cluster) -> None:
    with Operator(api, cluster.home, RESYNC_SECONDS="0.3").install() as operator:
        cluster.put(*sound())
        until(lambda: cluster.condition(ROUTE, "sonnet", "Accepted")[0] == "True")
        until(lambda: quiet(operator, cluster))


def quiet(operator: Operator, cluster: Cluster) -> bool:
    """Whether three more reconciliations left every version as it was."""
    before = versions(cluster)
    reconciliations = operator.metric('reconciles_total{result="ok"}')
    until(lambda: operator.metric('reconciles_total{result="ok"}') >= reconciliations + 3)
    return versions(cluster) == before


def versions(cluster: Cluster) -> list[str]:
    found = [cluster.config(), cluster.secret()]
    found += [cluster.api.get(url(k, cluster.home, n)) for k, n in ((ROUTE, "sonnet"), (CREDENTIAL, "anthropic"))]
    return [(manifest or {})["metadata"]["resourceVersion"] for manifest in found]


def test_our_own_statuses_ring_no_bell(operator: Operator, cluster: Cluster) -> None:
    cluster.put(secret(), credential(), *(route(f"r{i}", models=[f"m{i}"]) for i in range(50)))
    until(lambda: len(cluster.routes()) == 50)
    until(lambda: all(cluster.condition(ROUTE, f"r{i}", "Accepted")[0] == "True" for i in range(50)))
    assert operator.metric('writes_total{result="ok",what="status"}') >= 50
    # Each status write is an event; had they rung, there were about as many reconciliations as writes.
    assert operator.metric('reconciles_total{result="ok"}') <= 20


def test_edits_and_deletions_reach_the_bundle(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})
    cluster.put(route("other", models=["other"]))
    until(lambda: len(cluster.routes()) == 2)
    cluster.drop(ROUTE, "sonnet")
    until(lambda: cluster.routes() == {f"{cluster.home}/other"})
    cluster.put(route("other", models=["renamed"]))
    until(lambda: [r.models for r in cluster.policy().routes] == [("renamed",)])


def test_a_bad_route_beside_good_ones(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound(), route("bad", models=["bad"], targets=[target(credential="gone")]))
    until(lambda: cluster.condition(ROUTE, "bad", "ResolvedRefs") == ("False", Reason.CREDENTIAL_NOT_FOUND))
    assert cluster.condition(ROUTE, "bad", "Programmed") == ("False", Reason.NOTHING_TO_SERVE)
    assert cluster.condition(ROUTE, "bad", "Ready") == ("False", Reason.CREDENTIAL_NOT_FOUND)
    assert cluster.routes() == {f"{cluster.home}/sonnet"}


def test_a_secret_counts_once_it_is_labelled(operator: Operator, cluster: Cluster) -> None:
    cluster.put(secret(labels={}), credential(), route())
    until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs") == ("False", Reason.SECRET_NOT_LABELLED))
    assert cluster.routes() == set()
    cluster.put(secret())
    until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})
    cluster.drop("Secret", "keys")
    until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs") == ("False", Reason.SECRET_NOT_FOUND))
    until(lambda: cluster.routes() == set())


def test_a_rotated_key_is_a_new_entry_and_the_old_one_waits_for_the_pods(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.revision())
    before = cluster.entries()
    cluster.put(secret(values={"api": ROTATED, "client": CLIENT_KEY}))
    until(lambda: cluster.revision() and ROTATED in str(cluster.bundle().secrets))  # type: ignore[union-attr]
    assert before < cluster.entries(), "no pod said that it needs the old ones no more"


def test_a_deleted_bundle_comes_back(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    revision = until(lambda: cluster.revision())
    for path in ("configmaps", "secrets"):
        cluster.api.delete(f"/api/v1/namespaces/{cluster.home}/{path}/cg-bundle")
        until(lambda: cluster.revision() == revision, what=f"{path} again")


def test_a_bundle_that_somebody_changed_is_repaired(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.revision())
    path = f"/api/v1/namespaces/{cluster.home}/configmaps/cg-bundle"
    cluster.api.merge(path, {"data": {"gateway.json": "{}"}})
    until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})


def test_what_is_not_its_own_is_left_alone(operator: Operator, cluster: Cluster) -> None:
    root = f"/api/v1/namespaces/{cluster.home}"
    others = [
        cluster.api.create(f"{root}/configmaps", {"metadata": {"name": "cg-bundle-of-mine"}, "data": {"a": "b"}}),
        cluster.api.create(f"{root}/secrets", {"metadata": {"name": "cg-bootstrap"}, "stringData": {"a": "b"}}),
        cluster.api.create(f"{root}/secrets", {"metadata": {"name": "theirs", "labels": {LABEL_CREDENTIAL: "true"}}}),
    ]
    cluster.put(*sound())
    until(lambda: cluster.routes())
    cluster.drop(ROUTE, "sonnet")
    until(lambda: not cluster.routes())
    for path, made in zip(("configmaps", "secrets", "secrets"), others, strict=True):
        found = cluster.api.get(f"{root}/{path}/{made['metadata']['name']}")
        assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_conditions_of_others_stay_and_ours_come_back(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.condition(ROUTE, "sonnet", "Accepted")[0] == "True")
    status = f"{url(ROUTE, cluster.home, 'sonnet')}/status"
    audited = {
        "type": "Audited",
        "status": "True",
        "reason": "Checked",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = {
        "apiVersion": "claudegateway.io/v1alpha1",
        "kind": ROUTE,
        "metadata": {"name": "sonnet"},
        "status": {"conditions": [audited]},
    }
    cluster.api.apply(status, body, manager="auditor", force=False)
    cluster.put(route(targets=[target(credential="gone")]))
    until(lambda: cluster.condition(ROUTE, "sonnet", "ResolvedRefs")[0] == "False")
    assert cluster.condition(ROUTE, "sonnet", "Audited") == ("True", "Checked")
    ours = {**audited, "type": "Accepted", "status": "False"}
    with pytest.raises(ApiError) as refused:
        cluster.api.apply(status, {**body, "status": {"conditions": [audited, ours]}}, manager="auditor", force=False)
    assert refused.value.status == 409


def test_the_time_of_a_condition_is_that_of_its_change(api: ApiServer, cluster: Cluster) -> None:
    def times() -> dict[str, str]:
        found = api.get(url(ROUTE, cluster.home, "sonnet"))["status"]["conditions"]
        return {condition["type"]: condition["lastTransitionTime"] for condition in found}

    operator = Operator(api, cluster.home).install()
    with operator:
        cluster.put(*sound())
        until(lambda: cluster.condition(ROUTE, "sonnet", "Ready") == ("False", Reason.NO_READY_PODS))
        first = times()
    with operator:
        cluster.put(route(targets=[target(weight=5)]))
        until(lambda: '"weight":5' in str((cluster.config() or {})["data"]["gateway.json"]))
        until(lambda: observed(api, cluster) == {2})
        assert times() == first


def observed(api: ApiServer, cluster: Cluster) -> set[int]:
    found = api.get(url(ROUTE, cluster.home, "sonnet"))["status"]["conditions"]
    return {condition["observedGeneration"] for condition in found}


def test_it_ends_well(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.routes())
    assert operator.stop() == 0
    assert '"event": "stopped"' in operator.lines()
    assert "Traceback" not in operator.lines()


def test_it_starts_with_nothing_at_all(operator: Operator, cluster: Cluster) -> None:
    until(lambda: cluster.revision())
    assert cluster.policy().routes == ()
    assert cluster.token()


def test_clients_get_their_keys(operator: Operator, cluster: Cluster) -> None:
    cluster.put(secret(), client())
    until(lambda: cluster.clients() == {f"{cluster.home}/alice"})
    cluster.drop(CLIENT, "alice")
    until(lambda: cluster.clients() == set())


def test_who_floods_loses_the_newest_and_revocation_gets_through(operator: Operator, cluster: Cluster) -> None:
    cluster.put(*sound())
    until(lambda: cluster.clients() == {f"{cluster.home}/alice"})
    flood = [
        route(
            f"z{number:03}",
            models=[f"x{os.urandom(126).hex()}" for _ in range(32)],
            targets=[target("hosted_vllm/x", baseURL="https://vllm.example/v1")],
        )
        for number in range(280)
    ]
    cluster.put(*flood)
    until(lambda: cluster.condition(ROUTE, "z279", "Accepted") == ("False", Reason.TOO_LARGE), timeout=60)
    assert cluster.condition(ROUTE, "z279", "Ready") == ("False", Reason.TOO_LARGE)
    assert cluster.condition(ROUTE, "z000", "Accepted") == ("True", "Accepted")
    assert cluster.routes() >= {f"{cluster.home}/sonnet", f"{cluster.home}/z000"}
    cluster.drop(CLIENT, "alice")
    until(lambda: cluster.clients() == set(), timeout=60)
    assert operator.metric('writes_total{result="error",what="event"}') == 0


@pytest.mark.parametrize(("name", "value"), [(3, 8000), (3, 100), (200, 8)])
def test_an_api_server_takes_a_secret_that_fits_just_so(cluster: Cluster, name: int, value: int) -> None:
    entries = {f"{number:05}-{'n' * name}": os.urandom(value) for number in range(12_000)}
    while load(entries) > 1:
        entries = dict(list(entries.items())[: int(len(entries) / load(entries))])
    assert 0.9 < load(entries) <= 1
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "full"},
        "data": {entry: base64.b64encode(data).decode() for entry, data in entries.items()},
    }
    made = cluster.api.apply(f"/api/v1/namespaces/{cluster.home}/secrets/full", body)
    assert len(made["data"]) == len(entries)
