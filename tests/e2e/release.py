"""A release of the chart, and one that is furnished with credentials, routes and a client."""

import base64
import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx
import yaml
from tests.e2e.pods.load import Group
from tests.support.builders.certificates import self_signed
from tests.support.builders.targets import ANTHROPIC, OPENAI, ROUTES, Target
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import ARTIFACTS, Kube, Manifest, Pod
from tests.support.processes import command
from tests.support.processes.gateway import documents, secret
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION
from claude_gateway.release_names import REPORT_TOKEN, bootstrap_name, bundle_name, operator_name, proxy_name
from claude_gateway_scripted import digest

CHART: Final = "charts/claude-gateway"
PINGS: Final = 1
"""Seconds of silence after which the gateway pings."""
OBJECTS: Final = (
    *(("ClaudeCredential", name) for name in ("anthropic", "vllm")),
    *(("ModelRoute", name) for name in ("anthropic", "openai")),
)
"""What a release is furnished with, of the routes of all client tests."""


@dataclass(frozen=True, slots=True)
class Release:
    """One ``helm install``. ``fullname`` is what its objects' names begin with.

    ``chart`` is the chart's folder; ``built`` the tag under which the images of this release were built.
    """

    kube: Kube
    name: str
    namespace: str
    chart: str = CHART
    built: str = kubecluster.BUILT

    @property
    def fullname(self) -> str:
        """The chart's default for it."""
        return f"{self.name}-claude-gateway"

    @property
    def url(self) -> str:
        """The Service's address, as clients in other namespaces write it."""
        return f"http://{self.host}:4000"

    @property
    def tls_url(self) -> str:
        """The same with TLS."""
        return f"https://{self.host}:4443"

    @property
    def host(self) -> str:
        """The Service's name."""
        return f"{self.fullname}.{self.namespace}.svc.cluster.local"

    @property
    def proxy(self) -> str:
        """Name of the data plane's Deployment."""
        return proxy_name(self.fullname)

    @property
    def operator(self) -> str:
        """Name of the operator's Deployment."""
        return operator_name(self.fullname)

    @property
    def bundle(self) -> str:
        """Name of the ConfigMap and the Secret with the bundle."""
        return bundle_name(self.fullname)

    @property
    def tls(self) -> str:
        """Name of the Secret with its certificate."""
        return f"{self.fullname}-tls"

    def install(self, *settings: str, trusted: str = "") -> None:
        """Install it with a certificate and trust in the upstream's, and wait as ``helm install --wait`` does.

        ``trusted`` are further certificates (PEM) that it trusts.
        """
        certificate, key = (text.decode() for text in self_signed(self.host))
        data = {"tls.crt": certificate, "tls.key": key}
        metadata = {"name": self.tls, "namespace": self.namespace}
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
        trust = kubepods.authority(self.namespace, further=trusted)
        self.kube.apply(kubepods.namespace(self.namespace), {**made, "stringData": data}, trust)
        self._helm("install", *settings)

    def upgrade(self, *settings: str) -> None:
        """Upgrade it."""
        self._helm("upgrade", *settings)

    def helm(self, verb: str, *arguments: str) -> str:
        """Run another helm command about it."""
        return self.kube.helm(verb, self.name, "-n", self.namespace, *arguments)

    def _helm(self, verb: str, *settings: str) -> None:
        values = ARTIFACTS / f"values-{self.name}.yaml"
        values.write_text(yaml.safe_dump({**_values(self.built), "tls": {"secretName": self.tls}}))
        extra = [word for setting in settings for word in ("--set", setting)]
        self.kube.helm(
            verb, self.name, self.chart, "-n", self.namespace, "-f", str(values), "--wait", "--timeout", "120s", *extra
        )

    def remove(self, *clients: str) -> None:
        """Uninstall it, and delete its namespace and these client pods. Nobody waits: they end beside the next test."""
        self.helm("uninstall")
        self.kube.kubectl("delete", "namespace", self.namespace, "--wait=false")
        self.kube.kubectl("delete", "pod", *clients, "-n", kubepods.CLIENTS, "--wait=false")

    def pods(self) -> list[Pod]:
        """Return the proxy pods that are not being deleted."""
        return self.kube.pods(namespace=self.namespace, selector=self.selector(self.proxy))

    def selector(self, deployment: str) -> str:
        """Return what selects a Deployment's pods."""
        found = self.kube.get("deployment", namespace=self.namespace, name=deployment)["spec"]["selector"]
        return ",".join(f"{key}={value}" for key, value in found["matchLabels"].items())

    @contextmanager
    def page(self) -> Iterator[str]:
        """Forward a local port to the sign-in page, as the notes of the chart say, and yield its address."""
        port = free_port()
        service = f"svc/{self.fullname}-claude-auth"
        with subprocess.Popen(
            [*self.kube.command, "-n", self.namespace, "port-forward", service, f"{port}:4200"],
            stdout=subprocess.DEVNULL,
        ) as forward:
            try:
                url = f"http://127.0.0.1:{port}"
                until(lambda: _answers(url), timeout=60, what="the page")
                yield url
            finally:
                forward.terminate()

    def requests(self) -> list[dict[str, Any]]:
        """Return what the gateways of the pods that run now have logged of requests."""
        pods = (self.kube.kubectl("logs", pod.name, "-n", self.namespace, "-c", "gateway") for pod in self.pods())
        lines = (json.loads(line) for text in pods for line in text.splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == "request"]

    def secret(self, name: str, entry: str) -> str:
        """Return a value out of a Secret."""
        data = self.kube.get("secret", namespace=self.namespace, name=name)["data"]
        return base64.b64decode(data[entry]).decode()

    @property
    def bootstrap_key(self) -> str:
        """The first client's key."""
        return self.secret(bootstrap_name(self.fullname), "key")

    @property
    def own_secrets(self) -> list[str]:
        """What the operator made and nobody may print."""
        return [self.bootstrap_key, self.secret(self.bundle, REPORT_TOKEN)]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A release in use. ``pod`` runs clients with the key of one GatewayClient; ``secrets`` are all that were used."""

    release: Release
    pod: str
    key: str = field(repr=False)
    targets: list[Target]
    secrets: list[str] = field(repr=False)

    @classmethod
    def furnish(cls, release: Release, *, client: str, model: str = "scripted-claude") -> "Gateway":
        """Apply two credentials, two routes and a client, make a client pod, and wait until all is live."""
        kube, place = release.kube, release.namespace
        anthropic, openai = f"sk-ant-e2e-{secrets.token_hex(24)}", f"sk-e2e-{secrets.token_hex(24)}"
        routes = documents(ROUTES.format(url=kubepods.UPSTREAM_URL).replace(ANTHROPIC.upstream_model, model))
        own = [each for each in routes if (each["kind"], each["metadata"]["name"]) in OBJECTS]
        kube.apply(*(secret("anthropic", anthropic), secret("openai", openai)), *own, namespace=place)
        key = new_client(release, client)
        kube.apply(*kubepods.client(client, url=release.url, key=key))
        kube.wait(
            *("claudecredential/anthropic", "claudecredential/vllm", "modelroute/anthropic", "modelroute/openai"),
            f"gatewayclient/{client}",
            condition="Programmed",
            namespace=place,
        )
        kube.wait(f"pod/{client}", condition="Ready", namespace=kubepods.CLIENTS)
        targets = [
            replace(ANTHROPIC, upstream_model=model, credential=digest(anthropic)),
            replace(OPENAI, credential=digest(openai)),
        ]
        return cls(release, client, key, targets, [anthropic, openai, key])

    @property
    def kube(self) -> Kube:
        """The cluster."""
        return self.release.kube

    def load(self, *groups: Group) -> kubepods.Load:
        """Return a load from the client pod."""
        return kubepods.Load(self.kube, self.pod, groups)

    def streams(self, *groups: Group) -> kubepods.Load:
        """Return long streams from the client pod, which are under way for a while before anything is answered."""
        return kubepods.Load(self.kube, self.pod, groups, answered=False)

    def rotate(self, key: str) -> None:
        """Note that the key of the Anthropic wire is another one now."""
        self.targets[0] = replace(self.targets[0], credential=digest(key))

    def steady(self) -> list[Group]:
        """Return a load on both wires through the Service, over kept and over fresh connections."""
        return [
            Group(f"{target}-{'fresh' if fresh else 'kept'}", self.release.url, target.model, fresh=fresh, pause=0.1)
            for target in self.targets
            for fresh in (False, True)
        ]

    def wait_live(self, *names: str) -> None:
        """Wait until these objects, as they are now, are served by every ready pod."""
        self.kube.wait(*names, condition="Programmed", namespace=self.release.namespace)


def new_client(release: Release, name: str, *, owner: str = "") -> str:
    """Make a client and its key as the documentation says, and return the key; ``owner`` is the person behind it."""
    file = ARTIFACTS / f"client-{release.name}-{name}.yaml"
    file.unlink(missing_ok=True)
    made = command.call("key", "new", name, *(("--owner", owner) if owner else ()), "-o", file)
    assert made.code == 0, made
    release.kube.kubectl("apply", "-n", release.namespace, "-f", str(file))
    (key,) = [
        str(value) for manifest in documents(file.read_text()) for value in manifest.get("stringData", {}).values()
    ]
    file.unlink()
    return key


def route(
    name: str,
    *,
    models: list[str],
    model: str,
    labels: Mapping[str, str] | None = None,
    release: str | None = None,
    **target: str | Mapping[str, str],
) -> Manifest:
    """Return a route with one target; ``release`` is the one that it is for, where there are several."""
    named = {} if release is None else {"gatewayRef": {"name": release}}
    spec = {"models": models, "targets": [{"model": model, **target}], **named}
    metadata = {"name": name, "labels": dict(labels or {})}
    return {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": metadata, "spec": spec}


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/auth/static/style.css", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _values(built: str) -> dict[str, Any]:
    """The images of this run, and requests that let three releases' worth of pods onto a small node."""

    def image(name: str, built: str = kubecluster.BUILT) -> dict[str, str]:
        repository, _, tag = kubecluster.reference_of(name, built=built).partition(":")
        return {"repository": repository, "tag": tag}

    small = {"resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}
    return {
        "images": {
            "pullPolicy": "Never",
            "proxy": image("proxy", built),
            "operator": image("operator", built),
            "claudeCode": image("claude-code"),
            "claudeAuth": image("claude-auth"),
        },
        "operator": small,
        "claudeCode": small,
        "claudeAuth": small,
        # Pings come soon, so that no test waits long for one.
        "proxy": {"gateway": {**small, "pingSeconds": PINGS}, "litellm": small, "agent": small},
        # Allowed by name: it stands where Google's token server would, and Anthropic for clients' own logins.
        "egress": {"allowHosts": [kubepods.UPSTREAM_HOST], "forwardClientTokenTo": [kubepods.UPSTREAM_HOST]},
        "caBundle": {"configMap": kubepods.AUTHORITY},
    }
