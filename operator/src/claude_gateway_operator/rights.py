"""What the operator may do in the cluster. Tests compare the chart's Roles with this list.

Server-side apply is a PATCH to a named URL, so ``create`` can be limited to a name like the other verbs. RBAC cannot
select Secrets by label; the operator lists and watches only labelled ones, and reads only those that an object refers
to.
"""

from collections.abc import Sequence
from typing import Any

from claude_gateway.names import GROUP
from claude_gateway.release_names import (
    allotment_name,
    bootstrap_name,
    bundle_name,
    callers_name,
    claude_auth_name,
    claude_auth_role,
    claude_code_name,
    operator_name,
    proxy_name,
)

PolicyRule = dict[str, Any]

_KINDS = ["modelroutes", "claudecredentials", "gatewayclients", "budgets"]


def watched_rules() -> list[PolicyRule]:
    """Return the rules of the Role in every watched namespace, including the release's own."""
    return [
        {"apiGroups": [GROUP], "resources": list(_KINDS), "verbs": ["list", "watch"]},
        {"apiGroups": [GROUP], "resources": [f"{kind}/status" for kind in _KINDS], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]


def cluster_rules(*, selects: bool) -> list[PolicyRule]:
    """Return the rules of the ClusterRole that takes the place of these Roles where namespaces are not listed.

    ``selects`` says that namespaces are chosen by their labels.
    """
    namespaces = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]}
    return [*watched_rules(), *([namespaces] if selects else [])]


def own_rules(release: str) -> list[PolicyRule]:
    """Return the additional rules in the release's own namespace."""
    bundle, bootstrap = bundle_name(release), bootstrap_name(release)
    operator, proxy = operator_name(release), proxy_name(release)
    return [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [bundle, allotment_name(release)],
            "verbs": ["get", "watch", "create", "patch"],
        },
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [bundle, bootstrap],
            "verbs": ["create", "patch"],
        },
        {
            "apiGroups": [GROUP],
            "resources": ["gatewayclients"],
            "resourceNames": [bootstrap],
            "verbs": ["get", "create", "patch", "delete"],
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [operator, proxy], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [proxy], "verbs": ["patch"]},
    ]


def claude_code_rules(release: str) -> list[PolicyRule]:
    """Return the additional rules in the release's own namespace of an operator with the Claude Code backend."""
    names = [claude_code_name(release), callers_name(release), claude_auth_name(release)]
    return [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": ["create", "patch"]}]


def caller_rules(names: Sequence[str]) -> list[PolicyRule]:
    """Return the additional rules in a namespace whose callers' Secrets the operator may create."""
    return [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [*names], "verbs": ["create", "patch"]}]


def granting_rules(release: str, *, home: str, namespace: str) -> list[PolicyRule]:
    """Return the additional rules in every watched namespace of an operator with a sign-in service.

    `escalate` on one Role by name is enough to fill it without holding its rights. The chart binds the Role to the
    sign-in service, and the operator may neither bind nor create Roles.
    """
    role = claude_auth_role(release, home=home, namespace=namespace)
    return [
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles"],
            "resourceNames": [role],
            "verbs": ["get", "patch", "escalate"],
        }
    ]


def login_rules(names: Sequence[str]) -> list[PolicyRule]:
    """Return what the sign-in service may do in a namespace: get and apply these Secrets. No name: nothing at all.

    A rule with an empty list of names would be a right to every Secret.
    """
    if not names:
        return []
    verbs = ["get", "create", "patch"]
    return [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [*names], "verbs": verbs}]
