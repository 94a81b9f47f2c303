"""The operator with the Claude Code backend and the sign-in service, with the least rights on a real API server."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.builders.objects import (
    LOGIN_TOKEN,
    Manifest,
    client,
    route,
    secret,
    setup_token,
    subscription,
    target,
)
from tests.support.kube.apiserver import ApiError, ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.operator import RBAC, Operator, grant
from tests.support.processes.waiting import until

from claude_gateway.names import Kind, Reason
from claude_gateway_operator.rights import login_rules

CREDENTIAL = Kind.CLAUDE_CREDENTIAL.value
URL = "http://cg-claude-code.gateway.svc:4100"
CALLER = {"name": "notebook", "secretName": "notebook"}


@pytest.fixture
def team(new_namespace: Callable[[], str]) -> str:
    """Another namespace that the release watches."""
    return new_namespace()


@pytest.fixture
def operator(api: ApiServer, home: str, team: str) -> Iterator[Operator]:
    """A running operator that may create one caller's Secret."""
    made = Operator(
        api,
        home,
        watch=[team],
        CLAUDE_CODE_URL=URL,
        CLAUDE_AUTH_ENABLED="true",
        CLAUDE_AUTH_URL="https://claude.example/auth",
        CALLER_SECRETS=f"{home}/notebook",
    )
    with made.install(callers=["notebook"]) as running:
        yield running


def values(api: ApiServer, namespace: str, name: str) -> dict[str, bytes]:
    """The entries of a Secret; none if it does not exist."""
    found = api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}") or {}
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}


def rules(api: ApiServer, namespace: str, name: str) -> Any:
    return api.get(f"{RBAC}/namespaces/{namespace}/roles/{name}").get("rules") or []


def mine() -> Manifest:
    only = {"from": "Clients", "clients": ["alice"]}
    return route("mine", models=["sonnet"], targets=[target("claude-code/sonnet", "mine")], allowedClients=only)


def test_a_signed_in_owner_is_served(operator: Operator, cluster: Cluster) -> None:
    api, home = cluster.api, cluster.home
    cluster.put(subscription(caller=CALLER), mine(), secret(), client(owner="alice@example.com"))
    until(lambda: cluster.condition(CREDENTIAL, "mine", "ResolvedRefs") == ("False", Reason.NOT_SIGNED_IN), what="news")
    cluster.put(setup_token())
    until(lambda: cluster.condition(CREDENTIAL, "mine", "ResolvedRefs") == ("True", Reason.RESOLVED), what="a login")
    key = until(lambda: values(api, home, "cg-claude-code").get("key"), what="the backend's key")
    caller = until(lambda: values(api, home, "notebook").get("key"), what="the caller's key")
    assert key is not None
    assert caller is not None
    assert len(caller) >= 32
    expected = {hashlib.sha256(caller).hexdigest(): {"name": "notebook", "login": LOGIN_TOKEN}}
    until(
        lambda: json.loads(values(api, home, "cg-claude-code-callers").get("callers.json", b"{}")) == expected,
        what="the callers",
    )
    stored = values(api, home, "cg-bundle").values()
    assert key in stored
    assert LOGIN_TOKEN.encode() in stored
    labels = api.get(f"/api/v1/namespaces/{home}/secrets/notebook")["metadata"]
    assert "ownerReferences" not in labels
    assert LOGIN_TOKEN not in operator.lines()
    assert operator.metric('reconciles_total{result="error"}') == 0


def test_the_backends_key_is_never_replaced(api: ApiServer, home: str, operator: Operator) -> None:
    until(lambda: values(api, home, "cg-claude-code").get("key"), what="the backend's key")
    before = values(api, home, "cg-claude-code")
    operator.stop()
    with operator:
        until(lambda: operator.metric('reconciles_total{result="ok"}') >= 1, what="a reconciliation")
        assert values(api, home, "cg-claude-code") == before


def test_the_role_of_the_sign_in_service_has_exactly_the_names(
    operator: Operator, cluster: Cluster, team: str, new_namespace: Callable[[], str]
) -> None:
    api, home = cluster.api, cluster.home
    there = Cluster(api, team)
    cluster.put(subscription(), subscription("second", secret="second"))
    there.put(
        subscription("third", secret="third", namespace=team),
        subscription("thief", secret="database", namespace=team),
        secret("database", {"password": "x"}, labels={}, namespace=team),
    )
    until(lambda: rules(api, home, "cg-claude-auth") == login_rules(["login", "second"]), what="the names at home")
    foreign = f"{home}.cg-claude-auth"
    until(lambda: rules(api, team, foreign) == login_rules(["third"]), what="the names elsewhere")
    api.delete(f"/apis/claudegateway.io/v1alpha1/namespaces/{team}/claudecredentials/third")
    until(lambda: rules(api, team, foreign) == [], what="no name, no right")


def test_the_sign_in_service_can_make_the_named_secret_and_no_other(operator: Operator, cluster: Cluster) -> None:
    api, home = cluster.api, cluster.home
    api.apply(
        f"/api/v1/namespaces/{home}/serviceaccounts/auth",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "auth"}},
    )
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "auth"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "cg-claude-auth"},
        "subjects": [{"kind": "ServiceAccount", "name": "auth", "namespace": home}],
    }
    api.apply(f"{RBAC}/namespaces/{home}/rolebindings/auth", binding)
    cluster.put(subscription(method="Login"))
    until(lambda: rules(api, home, "cg-claude-auth") == login_rules(["login"]), what="the name")
    auth = api.acting(api.token(home, "auth"))

    def write(name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"state.json": "e30="}}
        auth.apply(f"/api/v1/namespaces/{home}/secrets/{name}", body, manager="claude-gateway-auth")

    until(lambda: not refused(lambda: write("login")), what="the right to reach the API server's cache")
    assert refused(lambda: write("other"))
    assert refused(lambda: auth.get(f"/api/v1/namespaces/{home}/secrets"))
    assert refused(lambda: auth.delete(f"/api/v1/namespaces/{home}/secrets/login"))


def test_the_operator_cannot_use_or_spread_what_it_grants(api: ApiServer, operator: Operator, home: str) -> None:
    acting = api.acting(api.token(home, "operator"))
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": login_rules(["login"])}
    other = {**role, "metadata": {"name": "other"}}
    assert refused(lambda: acting.apply(f"{RBAC}/namespaces/{home}/roles/other", other))
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "mine"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "cg-claude-auth"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": home}],
    }
    assert refused(lambda: acting.apply(f"{RBAC}/namespaces/{home}/rolebindings/mine", binding))
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "data": {}}
    assert refused(lambda: acting.apply(f"/api/v1/namespaces/{home}/secrets/login", body))


def test_without_escalate_the_role_cannot_be_filled(api: ApiServer, home: str) -> None:
    """Why the verb is needed: an API server does not let an account grant rights that it does not have."""
    operator = Operator(api, home, CLAUDE_CODE_URL=URL, CLAUDE_AUTH_ENABLED="true").install()
    only = [
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles"],
            "resourceNames": ["cg-claude-auth"],
            "verbs": ["get", "patch"],
        }
    ]
    grant(api, home, within=home, name=f"{home}-cg-granting", rules=only)
    with operator:
        Cluster(api, home).put(subscription())
        until(lambda: '"event":"not_written"' in operator.lines().replace(" ", ""), what="the warning")
        until(lambda: operator.metric('reconciles_total{result="ok"}') >= 1, what="reconciliations all the same")
        assert rules(api, home, "cg-claude-auth") == []


def refused(act: Callable[[], Any]) -> bool:
    """Whether the API server forbids an act; any other error is raised."""
    try:
        act()
    except ApiError as error:
        if error.status != 403:
            raise
        return True
    return False


def test_a_hand_written_login_that_is_refreshed_is_rejected_by_its_managed_fields(
    operator: Operator, cluster: Cluster
) -> None:
    content = {"claudeAiOauth": {"accessToken": LOGIN_TOKEN, "refreshToken": "sk-ant-ort01-" + "b" * 40}}
    cluster.put(secret("login", {".credentials.json": json.dumps(content)}), subscription(method="Login"))
    reason = ("False", Reason.SECRET_HAS_OTHER_WRITER)
    until(lambda: cluster.condition(CREDENTIAL, "mine", "ResolvedRefs") == reason, what="the other writer")
