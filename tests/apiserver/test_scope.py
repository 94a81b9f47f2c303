"""Several namespaces, several releases, rights that are missing, an API server that goes away."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml
from tests.apiserver.conftest import CRDS
from tests.support.builders.objects import client, credential, route, secret, sound
from tests.support.kube.apiserver import ApiServer, Manifest
from tests.support.kube.cluster import Cluster, url
from tests.support.processes.operator import RBAC, Operator, deployment, grant, grant_everywhere, namespace
from tests.support.processes.waiting import until

from claude_gateway.names import Kind, Reason
from claude_gateway.release_names import proxy_name
from claude_gateway_operator.rights import watched_rules
from claude_gateway_operator.rollout import ANNOTATION

ROUTE, CREDENTIAL, CLIENT = Kind.MODEL_ROUTE.value, Kind.CLAUDE_CREDENTIAL.value, Kind.GATEWAY_CLIENT.value


def created(api: ApiServer, cluster: Cluster, name: str) -> datetime:
    return datetime.fromisoformat(api.get(url(ROUTE, cluster.home, name))["metadata"]["creationTimestamp"])


def test_a_namespace_that_opted_in_is_served(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team, stranger = new_namespace(), new_namespace()
    with Operator(api, cluster.home, watch=[team]).install():
        cluster.put(*sound(), namespace=stranger)
        cluster.put(*sound(), namespace=team)
        until(lambda: cluster.routes() == {f"{team}/sonnet"})
        until(lambda: cluster.condition(ROUTE, "sonnet", "Accepted", namespace=team)[0] == "True")
        assert cluster.condition(ROUTE, "sonnet", "Accepted", namespace=stranger) == ("Unknown", Reason.PENDING)


def label(api: ApiServer, name: str, value: str | None) -> None:
    api.merge(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"ai": value}}})


def of(namespace: str) -> list[Manifest]:
    """A route of its own: the tests' API server has routes of the other tests, which share the names of models."""
    return [secret(), credential(), route(models=[f"of-{namespace}"])]


def test_all_namespaces_are_served_later_ones_too(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    with Operator(api, cluster.home, ALL_NAMESPACES="true").install():
        cluster.put(*of(cluster.home))
        until(lambda: f"{cluster.home}/sonnet" in cluster.routes())
        later = new_namespace()
        cluster.put(*of(later), namespace=later)
        until(lambda: f"{later}/sonnet" in cluster.routes())
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs", namespace=later)[0] == "True")


def test_namespaces_with_a_label_are_served_and_left_when_they_lose_it(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team, stranger = new_namespace(), new_namespace()
    with Operator(api, cluster.home, NAMESPACE_SELECTOR=f"ai={team}").install():
        cluster.put(*sound())
        for within in (team, stranger):
            cluster.put(*of(within), namespace=within)
        until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})
        label(api, team, team)
        until(lambda: cluster.routes() == {f"{cluster.home}/sonnet", f"{team}/sonnet"})
        until(lambda: cluster.condition(ROUTE, "sonnet", "Accepted", namespace=team)[0] == "True")
        label(api, team, None)
        until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})
        until(lambda: cluster.condition(ROUTE, "sonnet", "Ready", namespace=team) == ("False", Reason.NOT_SERVED))
        assert cluster.condition(ROUTE, "sonnet", "Accepted", namespace=stranger) == ("Unknown", Reason.PENDING)


def test_an_operator_that_served_all_namespaces_leaves_them(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team = new_namespace()
    with Operator(api, cluster.home, ALL_NAMESPACES="true").install() as operator:
        variable = {"name": "CLAUDE_GATEWAY_OPERATOR_ALL_NAMESPACES", "value": "true"}
        containers = [{"name": "main", "image": "none", "env": [variable]}]
        api.merge(
            f"/apis/apps/v1/namespaces/{cluster.home}/deployments/cg-operator",
            {"spec": {"template": {"spec": {"containers": containers}}}},
        )
        cluster.put(*of(cluster.home))
        cluster.put(*of(team), namespace=team)
        for within in (cluster.home, team):
            until(partial(ready_but_for_pods, cluster, within))
        operator.leave()
        assert cluster.condition(ROUTE, "sonnet", "Programmed", namespace=team) == ("False", Reason.NOT_SERVED)
        assert ready_but_for_pods(cluster, cluster.home)


def ready_but_for_pods(cluster: Cluster, namespace: str) -> bool:
    found = cluster.condition(ROUTE, "sonnet", "Programmed", namespace=namespace)
    return found == ("False", Reason.NO_READY_PODS)


def test_without_the_right_to_all_secrets_each_credential_says_so(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team = new_namespace()
    operator = Operator(api, cluster.home, ALL_NAMESPACES="true").install()
    name = f"{cluster.home}.cg-operator"
    blind = [rule for rule in watched_rules() if rule["resources"] != ["secrets"]]
    own = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["cg-bundle"], "verbs": ["get"]}
    grant(api, cluster.home, within=cluster.home, name="bundle", rules=[own])
    grant_everywhere(api, cluster.home, name=name, rules=blind)
    with operator:
        cluster.put(*of(team), namespace=team)
        wanted = ("False", Reason.SECRET_FORBIDDEN)
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs", namespace=team) == wanted)


def test_a_younger_name_under_one_of_another_namespace_is_refused_and_both_routes_say_so(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team = new_namespace()
    keyless = [{"model": "anthropic/x", "baseURL": "https://stranger.example"}]
    with Operator(api, cluster.home, watch=[team]).install():
        cluster.put(secret(), credential(), route("all", models=["claude-*"]))
        until(lambda: datetime.now(UTC) >= created(api, cluster, "all") + timedelta(seconds=1))
        cluster.put(route("steal", models=["claude-opus-4-5"], targets=keyless), namespace=team)
        until(lambda: cluster.condition(ROUTE, "steal", "Accepted", namespace=team) == ("False", Reason.MODEL_TAKEN))
        until(lambda: f"{team}/steal" in str(api.get(url(ROUTE, cluster.home, "all"))["status"]))
        assert cluster.condition(ROUTE, "all", "Accepted")[0] == "True"
        assert cluster.routes() == {f"{cluster.home}/all"}
        assert cluster.policy().namespace == cluster.home
        admitting = {"from": "Namespaces", "namespaces": [team]}
        cluster.put(route("all", models=["claude-*"], allowedRoutes=admitting))
        until(lambda: cluster.routes() == {f"{cluster.home}/all", f"{team}/steal"})


def test_a_namespace_without_rights_does_not_stop_the_others(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    closed, team = new_namespace(), new_namespace()
    operator = Operator(api, cluster.home, watch=[closed, "not-there", team]).install(without=[closed, "not-there"])
    with operator:
        cluster.put(*sound(), namespace=closed)
        cluster.put(*sound(), namespace=team)
        until(lambda: cluster.routes() == {f"{team}/sonnet"})
        cluster.put(route("second", models=["second"]), namespace=team)
        until(lambda: len(cluster.routes()) == 2)
        assert operator.healthy() == 200
        assert operator.alive()
        grant(api, cluster.home, within=closed, name="later", rules=watched_rules())
        cluster.put(route("nudge", models=["nudge"]), namespace=team)
        until(lambda: f"{closed}/sonnet" in cluster.routes() or not cluster.routes(), what="the new rights")


def test_secrets_that_may_not_be_read_are_a_condition(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    team = new_namespace()
    blind = [rule for rule in watched_rules() if rule["resources"] != ["secrets"]]
    operator = Operator(api, cluster.home, watch=[team]).install(without=[team])
    grant(api, cluster.home, within=team, name="blind", rules=blind)
    with operator:
        cluster.put(*sound())
        cluster.put(*sound(), namespace=team)
        until(
            lambda: (
                cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs", namespace=team)
                == ("False", Reason.SECRET_FORBIDDEN)
            )
        )
        assert cluster.condition(CLIENT, "alice", "ResolvedRefs", namespace=team) == ("False", Reason.SECRET_FORBIDDEN)
        assert cluster.condition(CREDENTIAL, "anthropic", "Accepted", namespace=team)[0] == "True"
        until(lambda: cluster.routes() == {f"{cluster.home}/sonnet"})


def test_secrets_that_may_be_listed_but_not_read_are_a_condition_too(api: ApiServer, cluster: Cluster) -> None:
    operator = Operator(api, cluster.home).install(without=[cluster.home])
    rules = [
        {**rule, "verbs": ["list", "watch"]} if rule["resources"] == ["secrets"] else rule for rule in watched_rules()
    ]
    own = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["cg-bundle", "cg-bootstrap"],
        "verbs": ["get"],
    }
    grant(api, cluster.home, within=cluster.home, name="half", rules=[*rules, own])
    with operator:
        cluster.put(*sound())
        until(lambda: cluster.condition(CREDENTIAL, "anthropic", "ResolvedRefs") == ("False", Reason.SECRET_FORBIDDEN))


def test_two_releases_that_watch_one_namespace(
    api: ApiServer, cluster: Cluster, new_namespace: Callable[[], str]
) -> None:
    shared, other_home = new_namespace(), new_namespace()
    other = Cluster(api, other_home, "second")
    with (
        Operator(api, cluster.home, watch=[shared]).install(),
        Operator(api, other_home, "second", watch=[shared]).install(),
    ):
        cluster.put(
            secret(),
            credential(),
            route("a", models=["a"], gatewayRef={"name": "cg"}),
            route("b", models=["b"], gatewayRef={"name": "second"}),
            route("both", models=["both"]),
            namespace=shared,
        )
        until(lambda: cluster.routes() == {f"{shared}/a", f"{shared}/both"})
        until(lambda: other.routes() == {f"{shared}/b", f"{shared}/both"})
        cluster.put(route("a", models=["a"], gatewayRef={"name": "second"}), namespace=shared)
        until(lambda: cluster.routes() == {f"{shared}/both"})
        until(lambda: other.routes() == {f"{shared}/a", f"{shared}/b", f"{shared}/both"})
        until(lambda: cluster.condition(ROUTE, "a", "Accepted", namespace=shared)[0] == "True")


def test_the_secret_is_written_first(api: ApiServer, cluster: Cluster) -> None:
    """An operator that may not write Secrets must not write a ConfigMap that needs new entries either."""
    operator = Operator(api, cluster.home).install()
    role = f"{RBAC}/namespaces/{cluster.home}/roles/cg-own"
    rules = api.get(role)["rules"]
    with operator:
        cluster.put(*sound())
        revision = until(lambda: cluster.revision() if cluster.routes() else None)
        api.merge(role, {"rules": [rule for rule in rules if rule["resources"] != ["secrets"]]})
        cluster.put(secret(values={"api": "sk-test-rotated-0123456789", "client": "cgw_test-other-0123456789"}))
        until(lambda: operator.metric('reconciles_total{result="error"}') > 0)
        assert cluster.revision() == revision
        api.merge(role, {"rules": rules})
        until(lambda: cluster.revision() not in (None, revision))


def test_the_first_client(api: ApiServer, cluster: Cluster) -> None:
    operator = Operator(api, cluster.home, BOOTSTRAP_ENABLED="true").install()
    with operator:
        until(lambda: cluster.clients() == {f"{cluster.home}/cg-bootstrap"})
        made = api.get(url("Secret", cluster.home, "cg-bootstrap"))
        key = base64.b64decode(made["data"]["key"]).decode()
        assert key.startswith("cgw_")
        assert len(key) == 47
        made_client = api.get(url(CLIENT, cluster.home, "cg-bootstrap"))
        assert made_client["spec"]["gatewayRef"] == {"name": "cg"}
        # With an owner, both would go with a Deployment that is deleted, replaced or restored from a backup.
        assert not [found for found in (made, made_client) if "ownerReferences" in found["metadata"]]
        cluster.drop(CLIENT, "cg-bootstrap")
        until(lambda: api.get(url(CLIENT, cluster.home, "cg-bootstrap")), what="the client again")
        assert key not in operator.lines()
    with operator:
        until(lambda: cluster.clients() == {f"{cluster.home}/cg-bootstrap"})
        assert api.get(url("Secret", cluster.home, "cg-bootstrap"))["data"] == made["data"]
    api.delete(f"/apis/apps/v1/namespaces/{cluster.home}/deployments/cg-operator")
    with operator.install():
        until(lambda: cluster.clients() == {f"{cluster.home}/cg-bootstrap"})
        assert api.get(url("Secret", cluster.home, "cg-bootstrap"))["data"] == made["data"]
    with Operator(api, cluster.home, BOOTSTRAP_ENABLED="false"):
        until(lambda: cluster.clients() == set())
        assert api.get(url(CLIENT, cluster.home, "cg-bootstrap")) is None


def test_the_first_client_with_a_key_that_is_there(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(secret("master", {"old": "cgw_an-old-master-key-0123456789"}))
    settings = {"BOOTSTRAP_ENABLED": "true", "BOOTSTRAP_SECRET_NAME": "master", "BOOTSTRAP_SECRET_KEY": "old"}
    with Operator(api, cluster.home, **settings).install():
        until(lambda: cluster.clients() == {f"{cluster.home}/cg-bootstrap"})
        assert api.get(url("Secret", cluster.home, "cg-bootstrap")) is None


def test_a_client_of_that_name_that_is_not_ours_is_not_removed(api: ApiServer, cluster: Cluster) -> None:
    cluster.put(secret(), client("cg-bootstrap"))
    with Operator(api, cluster.home).install():
        until(lambda: cluster.clients() == {f"{cluster.home}/cg-bootstrap"})


def test_a_fresh_deployment_is_not_rolled_and_one_with_another_checksum_is(api: ApiServer, cluster: Cluster) -> None:
    made = deployment(api, cluster.home, proxy_name("cg"))
    path = f"/apis/apps/v1/namespaces/{cluster.home}/deployments/{proxy_name('cg')}"
    with Operator(api, cluster.home, RESYNC_SECONDS="0.5").install() as operator:
        until(lambda: operator.metric('reconciles_total{result="ok"}') >= 2)
        assert api.get(path)["metadata"]["generation"] == made["metadata"]["generation"]
        api.merge(path, {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: "of-other-settings"}}}}})
        until(lambda: api.get(path)["spec"]["template"]["metadata"]["annotations"][ANNOTATION] != "of-other-settings")
        generation = api.get(path)["metadata"]["generation"]
        reconciliations = operator.metric('reconciles_total{result="ok"}')
        until(lambda: operator.metric('reconciles_total{result="ok"}') >= reconciliations + 2)
        assert api.get(path)["metadata"]["generation"] == generation
        api.delete(path)
        reconciliations = operator.metric('reconciles_total{result="ok"}')
        until(lambda: operator.metric('reconciles_total{result="ok"}') >= reconciliations + 2)
        assert api.get(path) is None


@pytest.fixture
def own_api(tmp_path: Path) -> Iterator[ApiServer]:
    """An API server that the test may stop."""
    with ApiServer(tmp_path) as server:
        yield server


def install_crds(server: ApiServer) -> None:
    for file in sorted(CRDS.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        name = document["metadata"]["name"]
        server.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", document)
    for kind in ("modelroutes", "claudecredentials", "gatewayclients", "budgets"):
        until(lambda kind=kind: server.serves(f"/apis/claudegateway.io/v1alpha1/{kind}"))  # type: ignore[misc]


def test_it_waits_for_the_kinds_and_outlives_the_api_server(own_api: ApiServer) -> None:
    home = namespace(own_api, "gateway")
    cluster = Cluster(own_api, home)
    with Operator(own_api, home, UNHEALTHY_AFTER_SECONDS="3").install() as operator:
        until(lambda: "kinds_missing" in operator.lines())
        install_crds(own_api)
        cluster.put(*sound())
        until(lambda: cluster.routes() == {f"{home}/sonnet"})
        until(lambda: operator.healthy() == 200)
        own_api.stop()
        operator_feels_it(operator)
        until(lambda: operator.healthy() == 500, timeout=60)
        own_api.start()
        cluster.put(route("after", models=["after"]))
        until(lambda: len(cluster.routes()) == 2, timeout=60)
        until(lambda: operator.healthy() == 200, timeout=60)
        assert operator.alive()
        lines = [json.loads(line) for line in operator.lines().splitlines()]
        # What heals by itself is not an error, and a watch warns once, however often it tries.
        assert not [line for line in lines if line["level"] == "error" or " " in line["event"]]
        assert len([line for line in lines if line["event"] == "watch_failed" and line["level"] == "warning"]) <= 4


def operator_feels_it(operator: Operator) -> None:
    until(lambda: "watch_failed" in operator.lines(), timeout=60)
