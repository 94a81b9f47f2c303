"""What the operator may do in the cluster: the one list of it, which the chart's Roles are compared with.

Server-side apply is a PATCH to a named URL, so ``create`` may be bound to a name like everything else. RBAC cannot
select Secrets by label; only labelled ones are listed and watched, and only those that an object names are read.
"""

from typing import Any

from claude_gateway.names import GROUP, bootstrap_name, bundle_name, operator_name, proxy_name

Rule = dict[str, Any]

_KINDS = ["modelroutes", "claudecredentials", "gatewayclients"]


def watched_rules() -> list[Rule]:
    """Rules of the Role in every watched namespace, the release's own included."""
    return [
        {"apiGroups": [GROUP], "resources": list(_KINDS), "verbs": ["list", "watch"]},
        {"apiGroups": [GROUP], "resources": [f"{kind}/status" for kind in _KINDS], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]


def own_rules(release: str) -> list[Rule]:
    """Further rules in the release's own namespace."""
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
