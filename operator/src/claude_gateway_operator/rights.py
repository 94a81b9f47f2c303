"""What the operator may do in the cluster. This list is the reference that tests compare the chart's Roles with.

Server-side apply is a PATCH to a named URL, so ``create`` can be limited to a name like the other verbs. RBAC cannot
select Secrets by label; the operator lists and watches only labelled ones, and reads only those that an object refers
to.
"""

from typing import Any

from claude_gateway.names import GROUP, bootstrap_name, bundle_name, operator_name, proxy_name

PolicyRule = dict[str, Any]

_KINDS = ["modelroutes", "claudecredentials", "gatewayclients"]


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
            "resourceNames": [bundle],
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
