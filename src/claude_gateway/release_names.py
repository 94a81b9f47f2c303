"""Names of what a release owns in its namespace; ``release`` is the full name that every one of them begins with."""

import hashlib
from typing import Final

from claude_gateway.names import FIELD_MANAGER

_LONGEST_MANAGER: Final = 128
"""Characters of a field manager's name that an API server accepts."""
REPORT_TOKEN: Final = "report-token"  # noqa: S105 - the entry's name
"""Entry of the bundle Secret with the token that authorizes reading the agents' reports; not part of the bundle."""


def status_manager(namespace: str, release: str) -> str:
    """Return the field manager of a release's entry in the statuses: each release has its own."""
    name = f"{FIELD_MANAGER}/{namespace}/{release}"
    if len(name) <= _LONGEST_MANAGER:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _LONGEST_MANAGER - len(digest) - 1]}.{digest}"


def bundle_name(release: str) -> str:
    """Return the name of the ConfigMap and the Secret that hold the bundle."""
    return f"{release}-bundle"


def allotment_name(release: str) -> str:
    """Return the name of the ConfigMap that divides limits and budgets between the proxy pods."""
    return f"{release}-allotment"


def bootstrap_name(release: str) -> str:
    """Return the name of the GatewayClient and the Secret of the first client."""
    return f"{release}-bootstrap"


def operator_name(release: str) -> str:
    """Return the name of the operator's Deployment, which owns everything that the operator creates."""
    return f"{release}-operator"


def proxy_name(release: str) -> str:
    """Return the name of the data plane's Deployment."""
    return f"{release}-proxy"


def claude_code_name(release: str) -> str:
    """Return the name of the Claude Code backend: its Deployment, its Service and the Secret with its key."""
    return f"{release}-claude-code"


def callers_name(release: str) -> str:
    """Return the name of the Secret with the document of the backend's own callers."""
    return f"{release}-claude-code-callers"


def claude_auth_name(release: str) -> str:
    """Return the name of the sign-in service."""
    return f"{release}-claude-auth"


def claude_auth_role(release: str, *, home: str, namespace: str) -> str:
    """Return the name of the Role that names the Secrets of the sign-in service in a namespace.

    Outside of ``home``, the release's own namespace, two releases of one name must not meet.
    """
    name = claude_auth_name(release)
    return name if namespace == home else f"{home}.{name}"


def agent_name(release: str) -> str:
    """Return the name of the headless Service of the agents."""
    return f"{release}-agent"
