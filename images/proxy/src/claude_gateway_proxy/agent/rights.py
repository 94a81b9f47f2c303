"""What the agent may do in the cluster. Tests compare the chart's Role with this list."""

from typing import Any


def rules(bundle_name: str, allotment_name: str) -> list[dict[str, Any]]:
    """Rules of the Role in the pod's namespace: three objects by name, to be read."""
    return [
        {
            "apiGroups": [""],
            "resources": ["configmaps", "secrets"],
            "resourceNames": [bundle_name],
            "verbs": ["get", "watch"],
        },
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [allotment_name],
            "verbs": ["get", "watch"],
        },
    ]
