"""Who may do what: exactly what the code's own lists say, and nothing in the cluster at large."""

import json
from typing import Any

import pytest
from tests.support.kube.chart import NAMESPACE, Manifest, Rendered, containers, render

from claude_gateway import release_names
from claude_gateway_operator.rights import (
    caller_rules,
    claude_code_rules,
    cluster_rules,
    granting_rules,
    own_rules,
    watched_rules,
)
from claude_gateway_proxy.agent.rights import rules as agent_rules

TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def flat(rules: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Rules as single rights: group, resource, name, verb."""
    return {
        (group, resource, name, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def granted(rendered: Rendered, account: str) -> dict[str, set[tuple[str, str, str, str]]]:
    """Namespace → rights that bindings give to a ServiceAccount of the release."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    found: dict[str, set[tuple[str, str, str, str]]] = {}
    for binding in rendered.all("RoleBinding"):
        place = binding["metadata"]["namespace"]
        if subject in binding["subjects"]:
            roles = [role for role in rendered.all("Role") if role["metadata"]["namespace"] == place]
            role = next(role for role in roles if role["metadata"]["name"] == binding["roleRef"]["name"])
            found.setdefault(place, set()).update(flat(role.get("rules", [])))
    return found


def test_the_operator_may_do_what_its_code_does(default: Rendered) -> None:
    full, watched = "cg-claude-gateway", flat(watched_rules())
    assert granted(default, f"{full}-operator") == {NAMESPACE: watched | flat(own_rules(full))}
    elsewhere = render({"operator": {"watchNamespaces": ["team-a"]}})
    assert granted(elsewhere, f"{full}-operator")["team-a"] == watched


def test_with_claude_code_the_operator_may_do_what_its_code_does(everything: Rendered) -> None:
    full, watched = "cg-claude-gateway", flat(watched_rules())

    def granting(namespace: str) -> set[tuple[str, str, str, str]]:
        return flat(granting_rules(full, home=NAMESPACE, namespace=namespace))

    assert granted(everything, f"{full}-operator") == {
        NAMESPACE: watched
        | flat(own_rules(full))
        | flat(claude_code_rules(full))
        | flat(caller_rules(["notebook"]))
        | granting(NAMESPACE),
        "team-a": watched | flat(caller_rules(["graph", "more"])) | granting("team-a"),
        "team-b": watched | granting("team-b"),
    }


def test_the_sign_in_service_may_list_credentials_and_do_what_the_operator_grants(everything: Rendered) -> None:
    """The Role of names has no `rules` here: an upgrade would take away what the operator wrote."""
    listing = {("claudegateway.io", "claudecredentials", "", verb) for verb in ("list", "watch")}
    assert granted(everything, "cg-claude-gateway-claude-auth") == dict.fromkeys(
        (NAMESPACE, "team-a", "team-b"), listing
    )
    for namespace in (NAMESPACE, "team-a", "team-b"):
        name = release_names.claude_auth_role("cg-claude-gateway", home=NAMESPACE, namespace=namespace)
        assert "rules" not in everything.one("Role", name)
    assert granted(everything, "cg-claude-gateway-claude-code") == {}


def test_without_the_sign_in_service_nobody_may_grant_anything() -> None:
    for values in ({"claudeCode": {"enabled": True}}, {"claudeAuth": {"enabled": True}}):
        rendered = render(values)
        assert not [
            right
            for rights in granted(rendered, "cg-claude-gateway-operator").values()
            for right in rights
            if "escalate" in right
        ]
        assert not [role for role in rendered.all("Role") if role["metadata"]["name"].endswith("claude-auth")]


def test_the_agent_may_read_two_objects(everything: Rendered) -> None:
    assert granted(everything, "cg-claude-gateway-proxy") == {
        NAMESPACE: flat(agent_rules("cg-claude-gateway-bundle", "cg-claude-gateway-allotment"))
    }


def test_nothing_of_the_release_has_rights_in_the_whole_cluster(everything: Rendered) -> None:
    assert everything.all("ClusterRoleBinding") == []
    for role in everything.all("ClusterRole"):
        labels = role["metadata"]["labels"]
        assert any(name.startswith("rbac.authorization.k8s.io/aggregate-to-") for name in labels)
        assert {rule["apiGroups"][0] for rule in role["rules"]} == {"claudegateway.io"}


@pytest.mark.parametrize(
    ("values", "selects"), [({"allNamespaces": True}, False), ({"namespaceSelector": "ai=enabled"}, True)]
)
def test_rights_in_the_whole_cluster_take_the_place_of_the_roles(values: dict[str, Any], selects: bool) -> None:
    rendered = render({"operator": values})
    account = "cg-claude-gateway-operator"
    role = rendered.one("ClusterRole", "ai.cg-claude-gateway-operator")
    binding = rendered.one("ClusterRoleBinding", "ai.cg-claude-gateway-operator")
    assert flat(role["rules"]) == flat(cluster_rules(selects=selects))
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]
    assert granted(rendered, account) == {NAMESPACE: flat(own_rules("cg-claude-gateway"))}


def test_users_get_the_kinds_by_the_built_in_roles(default: Rendered) -> None:
    view = default.one("ClusterRole", "ai.cg-claude-gateway-view")
    edit = default.one("ClusterRole", "ai.cg-claude-gateway-edit")

    assert {verb for *_, verb in flat(view["rules"])} == {"get", "list", "watch"}
    assert {verb for *_, verb in flat(edit["rules"])} == {"create", "update", "patch", "delete", "deletecollection"}
    assert not {resource for _, resource, _, _ in flat(edit["rules"]) if "/" in resource}
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in edit["metadata"]["labels"]


@pytest.mark.parametrize(("switch", "kinds"), [("create", {"Role", "RoleBinding"}), ("aggregate", {"ClusterRole"})])
def test_rights_can_be_left_to_others(switch: str, kinds: set[str]) -> None:
    assert not {found["kind"] for found in render({"rbac": {switch: False}}).manifests} & kinds


def test_without_crds_and_users_rights_nothing_is_outside_the_namespace() -> None:
    values: Manifest = {"crds": {"install": False}, "rbac": {"aggregate": False}}
    assert {found["metadata"].get("namespace") for found in render(values).manifests} == {NAMESPACE}


def test_a_token_is_mounted_where_it_is_used_and_nowhere_else(everything: Rendered) -> None:
    for account in everything.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    mounted = {
        f"{name}/{container}"
        for name, pod in everything.pods()
        for container, found in containers(pod).items()
        if any(mount["mountPath"] == TOKENS for mount in found.get("volumeMounts", ()))
    }
    assert mounted == {
        "cg-claude-gateway-operator/operator",
        "cg-claude-gateway-uninstall/leaving",
        "cg-claude-gateway-proxy/agent",
        "cg-claude-gateway-claude-auth/claude-auth",
    }
    assert [pod["automountServiceAccountToken"] for _, pod in everything.pods()] == [False] * 6


def test_accounts_of_others_can_be_named() -> None:
    account = {"create": False, "name": "given"}
    rendered = render({"proxy": {"serviceAccount": account}, "operator": {"serviceAccount": account}})

    assert rendered.all("ServiceAccount") == []
    assert {pod["serviceAccountName"] for name, pod in rendered.pods() if not name.endswith("-test")} == {"given"}
    subjects = [subject for binding in rendered.all("RoleBinding") for subject in binding["subjects"]]
    assert {json.dumps(subject["name"]) for subject in subjects} == {'"given"'}
    assert NAMESPACE in {subject["namespace"] for subject in subjects}
