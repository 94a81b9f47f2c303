"""How to reach an API server: its address, its certificate authority, and how to authenticate."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from claude_gateway_runtime.settings import join_host_port

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its ServiceAccount's token, namespace and authority."""


class Access(Protocol):
    """How to reach one API server."""

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""

    def trust(self) -> ssl.SSLContext:
        """Return the TLS settings of a new client. Raises OSError."""

    async def authorization(self) -> str | None:
        """Return the ``Authorization`` header of the next request. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server as a pod reaches it, by its ServiceAccount."""

    url: str
    token_file: Path = ACCOUNT / "token"
    ca_file: Path = ACCOUNT / "ca.crt"

    @classmethod
    def of_pod(cls, environment: Mapping[str, str] = os.environ) -> "Cluster | None":
        """Return the cluster that this process runs in; None outside of one."""
        host = environment.get("KUBERNETES_SERVICE_HOST")
        port = environment.get("KUBERNETES_SERVICE_PORT")
        if not host or not port or not (ACCOUNT / "token").is_file():
            return None
        return cls(url=f"https://{join_host_port(host, port)}")

    def trust(self) -> ssl.SSLContext:
        """Trust the cluster's authority alone. Raises OSError."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        # Python 3.13 also requires extensions that the certificates of many clusters do not have.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    async def authorization(self) -> str:
        """Return the token as it is now: the kubelet replaces the file long before the token expires."""
        return f"Bearer {self._token()}"

    def _token(self) -> str:
        return self.token_file.read_text(encoding="utf-8").strip()
