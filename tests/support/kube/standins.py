"""Stand-ins for other people's services, as pods beside the scripted upstream, driven through the API server.

Each is a program of ``tests/e2e/pods`` in the clients' image.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.e2e.pods import anthropic_hosts as hosts
from tests.e2e.pods import control
from tests.e2e.pods import identity_provider as provider
from tests.support.clients.anthropic_cloud import HOSTS
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube.kubectl import Kube, Manifest
from tests.support.kube.pods import UPSTREAM, UPSTREAM_URL, named, restricted

IDP: Final = "idp"
IDP_HOST: Final = f"{IDP}.{UPSTREAM}.svc.cluster.local"
ISSUER: Final = f"https://{IDP_HOST}:{provider.PORT}"


def anthropic_hosts(folder: Path) -> list[Manifest]:
    """Return the stand-in for Anthropic's sign-in hosts, with certificates from ``folder``."""
    return _stand_in(
        "anthropic",
        Path("tests/e2e/pods/anthropic_hosts.py"),
        UPSTREAM_URL,
        sources=[Path("tests/support/clients/anthropic_cloud.py")],
        certificates={f"{host}.pem": (folder / f"{host}.pem").read_text() for host in HOSTS},
        ports={"proxy": hosts.PROXY_PORT, "control": control.PORT},
    )


def identity_provider(certificate: str, key: str) -> list[Manifest]:
    """Return the company's identity provider, which signs real tokens; certificate and key are those of its host."""
    return _stand_in(
        IDP,
        Path("tests/e2e/pods/identity_provider.py"),
        ISSUER,
        sources=[Path("tests/support/clients/oidc.py")],
        certificates={"tls.pem": certificate + key},
        ports={"https": provider.PORT, "control": control.PORT},
    )


def _stand_in(
    name: str,
    program: Path,
    argument: str,
    *,
    sources: Sequence[Path],
    certificates: Mapping[str, str],
    ports: Mapping[str, int],
) -> list[Manifest]:
    """Return a Deployment that runs a program, its Service, and what it needs."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": kubecluster.reference_of("e2e-clients"),
        "command": ["python", f"/programs/{program}", argument, "/certificates"],
        "env": [{"name": "PYTHONPATH", "value": "/programs"}],
        "ports": [{"containerPort": port} for port in ports.values()],
        "volumeMounts": [
            {"name": "programs", "mountPath": "/programs", "readOnly": True},
            {"name": "certificates", "mountPath": "/certificates", "readOnly": True},
        ],
        # Not a readiness probe: on a busy machine it would take the only pod out of its Service.
        "startupProbe": {"tcpSocket": {"port": ports["control"]}, "periodSeconds": 1, "failureThreshold": 120},
    }
    files = [program, Path("tests/e2e/pods/control.py"), *sources]
    volumes = [
        {
            "name": "programs",
            "configMap": {"name": name, "items": [{"key": file.name, "path": str(file)} for file in files]},
        },
        {"name": "certificates", "secret": {"secretName": name}},
    ]
    pod = {"metadata": {"labels": labels}, "spec": {**restricted(container), "volumes": volumes}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    served = [{"name": each, "port": port} for each, port in ports.items()]
    metadata = named(name, UPSTREAM)
    programs = {file.name: file.read_text() for file in files}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": programs},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(certificates)},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": served}},
    ]


class AnthropicHosts:
    """The stand-in for Anthropic's sign-in hosts, driven through the API server."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def approve(self, link: str) -> str:
        """Return the code for a link, as the person who approves there sees it."""
        return str(self._get("approve", link=link))

    def set(self, **values: int) -> None:
        """Set the token endpoint's ``answer`` (a status) or the ``lifetime`` of access tokens in seconds."""
        self._get("set", **values)

    def login(self) -> dict[str, Any]:
        """Return Claude Code's own file with another valid login."""
        return dict(self._get("login"))

    @property
    def issued(self) -> list[str]:
        """Every token and code that was ever made."""
        return list(self._get("state")["issued"])

    @property
    def refreshes(self) -> list[str]:
        """The refresh tokens that are valid."""
        return list(self._get("state")["refreshes"])

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The access token and the body of each request to a model."""
        return [(token, body) for token, body in self._get("state")["turns"]]

    def _get(self, path: str, **query: object) -> Any:
        return _ask(self._kube, "anthropic", control.PORT, path, **query)


class IdentityProvider:
    """The company's identity provider, driven through the API server."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def sign_in(self, email: str, *groups: str) -> str:
        """Return the refresh token of a program in which a person of these groups signed in."""
        return str(self._get("sign-in", email=email, groups=" ".join(groups)))

    def confirm(self, url: str, email: str) -> tuple[str, str]:
        """Return the code and the state with which the browser of a person comes back from an address."""
        code, state = self._get("confirm", url=url, email=email)
        return str(code), str(state)

    def remove(self, email: str) -> None:
        """Remove a person: the sessions have ended."""
        self._get("remove", email=email)

    @property
    def sessions(self) -> list[str]:
        """The refresh tokens that are valid."""
        return list(self._get("state"))

    def _get(self, path: str, **query: object) -> Any:
        return _ask(self._kube, IDP, control.PORT, path, **query)


def _ask(kube: Kube, service: str, port: int, path: str, **query: object) -> Any:
    base = f"/api/v1/namespaces/{UPSTREAM}/services/{service}:{port}/proxy/{path}"
    return json.loads(kube.kubectl("get", "--raw", f"{base}?{urlencode(query)}"))
