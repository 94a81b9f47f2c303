"""A release whose callers prove who they are in every way, and the pods in which they work."""

import hashlib
import json
import secrets
from typing import Any, Final

from tests.e2e.release import Release
from tests.support.builders.certificates import self_signed, signing_key
from tests.support.clients.oidc import CLIENT
from tests.support.kube import pods as kubepods
from tests.support.kube import standins
from tests.support.kube.kubectl import Kube, Manifest
from tests.support.kube.pods import Mount
from tests.support.processes.gateway import secret

from claude_gateway.names import API_VERSION

NAME: Final = "who"
NAMESPACE: Final = "identities"
PAGE: Final = f"{NAME}-claude-gateway-claude-auth.{NAMESPACE}.svc.cluster.local"
PUBLIC: Final = f"http://{PAGE}:4200"
"""The sign-in page, as everybody calls it. Plain HTTP within the cluster, so that its host must be allowed."""
AUDIENCE: Final = f"claude-gateway/{NAMESPACE}/{NAME}-claude-gateway"
KEY_HELPER: Final = "claude-code"
"""The key helper's own client at the identity provider, which its tokens are for."""
HAIKU: Final = "claude-haiku-4-5"
SONNET: Final = "claude-sonnet-4-5"
PUSHED: Final = {"env": {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}, "model": HAIKU}
"""What the people who sign in at the gateway get as settings of Claude Code."""
TOKENS: Final = "/var/run/secrets/claude-gateway"
COMPANY: Final = "/company/ca.crt"
"""What a pod trusts besides the public authorities."""
PODS: Final = ("runner", "desk", "laptop")


def settings(kube: Kube) -> tuple[str, ...]:
    """Return the values of the release; to its pods the scripted upstream is Anthropic's own host."""
    address = kube.get("service", namespace=kubepods.UPSTREAM, name="scripted")["spec"]["clusterIP"]
    return (
        "claudeCode.enabled=true",
        "claudeCode.poolSize=1",
        "claudeCode.resources.requests.cpu=10m",
        "claudeAuth.enabled=true",
        "claudeAuth.resources.requests.cpu=10m",
        f"claudeAuth.oidc.issuer={standins.ISSUER}",
        f"claudeAuth.oidc.clientID={CLIENT}",
        "claudeAuth.signingKey.name=signing",
        f"claudeAuth.publicURL={PUBLIC}",
        f"operator.watchNamespaces={{{kubepods.CLIENTS}}}",
        f"egress.allowHosts={{{standins.IDP_HOST},{PAGE}}}",
        f"proxy.hostAliases[0].ip={address}",
        f"proxy.hostAliases[0].hostnames={{{kubepods.ANTHROPIC}}}",
    )


class Identities:
    """The release, its identity provider, and three pods: ``runner`` with a ServiceAccount, ``desk``, ``laptop``."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.release = Release(kube, name=NAME, namespace=NAMESPACE)
        self.idp = standins.IdentityProvider(kube)
        self.secrets = [f"sk-ant-e2e-{secrets.token_hex(24)}"]
        """What may be in no log and no object."""

    def install(self) -> None:
        """Install everything, and wait until all of it is live."""
        certificate, key = (text.decode() for text in self_signed(standins.IDP_HOST))
        signing = {
            "metadata": {"name": "signing", "namespace": NAMESPACE},
            "stringData": {"signing.pem": signing_key()},
        }
        self.kube.apply(
            kubepods.namespace(kubepods.CLIENTS),
            kubepods.namespace(NAMESPACE),
            {"apiVersion": "v1", "kind": "Secret", **signing},
            *standins.identity_provider(certificate, key),
        )
        self.kube.rolled(standins.IDP, namespace=kubepods.UPSTREAM)
        self.release.install(*settings(self.kube), trusted=certificate)
        self.kube.apply(*self._pods(certificate + self.release.secret(self.release.tls, "tls.crt")))
        self.kube.apply(*_objects(self.secrets[0]), namespace=NAMESPACE)
        self.kube.apply(client("ci", serviceAccounts=[{"name": "runner"}]), namespace=kubepods.CLIENTS)
        names = [f"gatewayclient/{name}" for name in ("platform", "sales", "signed-in")]
        self.kube.wait("modelroute/claude", *names, condition="Programmed", namespace=NAMESPACE)
        self.kube.wait("gatewayclient/ci", condition="Programmed", namespace=kubepods.CLIENTS)
        self.kube.wait(*(f"pod/{name}" for name in PODS), condition="Ready", namespace=kubepods.CLIENTS)

    def remove(self) -> None:
        """Remove everything, as the next file expects."""
        self.release.remove(*PODS)
        self.kube.kubectl("delete", "gatewayclient/ci", "serviceaccount/runner", "-n", kubepods.CLIENTS)
        self.kube.kubectl("delete", f"deployment/{standins.IDP}", f"service/{standins.IDP}", "-n", kubepods.UPSTREAM)

    def call(self, pod: str, file: str, model: str = HAIKU) -> tuple[int, str, str]:
        """Ask with the token in a file of a pod; return the status, the client, and what is wrong."""
        seen = kubepods.program(self.kube, pod, "call.py", file, model)
        return seen["status"], seen["client"] or "", seen["message"]

    def store(self, pod: str, file: str, value: str) -> None:
        """Replace a file of a pod as a whole; only its owner may read it."""
        script = 'umask 077; mkdir -p "$(dirname "$0")"; printf %s "$1" >"$0.new"; mv "$0.new" "$0"'
        kubepods.run(self.kube, pod, "sh", "-c", script, file, value)
        self.secrets.append(value)

    def ask(self, pod: str, helper: str, model: str = HAIKU) -> str:
        """Say hello by the genuine Claude Code with a key helper, and return the answer."""
        given = json.dumps({"apiKeyHelper": helper})
        return kubepods.run(
            self.kube, pod, "claude-newest", "-p", "--settings", given, "--model", model, "hello"
        ).strip()

    def proofs(self) -> set[tuple[str, str, str]]:
        """Return client, user and proof of all requests that a model answered."""
        return {
            (line["client"], line["user"], line["proof"]) for line in self.release.requests() if line["status"] == 200
        }

    def accept(self, *keys: str) -> None:
        """Let the client ``rotating`` have these keys, of which the cluster has the hashes alone; wait until it has."""
        hashes = [{"hash": f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"} for key in keys]
        self.kube.apply(client("rotating", keys=hashes), namespace=NAMESPACE)
        self.kube.wait("gatewayclient/rotating", condition="Programmed", namespace=NAMESPACE)

    def _pods(self, trusted: str) -> list[Manifest]:
        managed = {"forceLoginMethod": "gateway", "forceLoginGatewayUrl": self.release.tls_url}
        files = {"company": {"ca.crt": trusted}, "managed": {"managed-settings.json": json.dumps(managed)}}
        company = Mount("/company", {"configMap": {"name": "company"}})
        tokens = [
            {"serviceAccountToken": {"path": "token", "audience": AUDIENCE, "expirationSeconds": 3600}},
            {"serviceAccountToken": {"path": "other-audience", "audience": f"{AUDIENCE}-2", "expirationSeconds": 3600}},
        ]
        runner = Mount(TOKENS, {"projected": {"sources": tokens}})
        laptop = Mount("/etc/claude-code", {"configMap": {"name": "managed"}})
        url = self.release.url
        return [
            *(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": kubepods.named(name, kubepods.CLIENTS),
                    "data": data,
                }
                for name, data in files.items()
            ),
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": kubepods.named("runner", kubepods.CLIENTS)},
            *kubepods.client("runner", url=url, key=None, account="runner", mounts=[runner]),
            *kubepods.client("desk", url=url, key=None, mounts=[company]),
            *kubepods.client("laptop", url=url, key=None, mounts=[company, laptop]),
        ]


def client(name: str, **spec: Any) -> Manifest:
    """Return a GatewayClient."""
    return {"apiVersion": API_VERSION, "kind": "GatewayClient", "metadata": {"name": name}, "spec": spec}


def _objects(key: str) -> list[Manifest]:
    """What the release serves, and who may call: people of two groups, and people who sign in at the gateway."""
    anthropic = {"provider": "anthropic", "secretRef": {"name": "anthropic"}}
    route = {
        "models": ["claude-*"],
        "targets": [{"model": "anthropic/*", "credential": "anthropic"}],
        "allowedClients": {"from": "All"},
    }
    company = {"issuer": standins.ISSUER, "audiences": [KEY_HELPER], "userClaim": "email"}
    page = {"issuer": f"{PUBLIC}/auth", "audiences": ["claude-gateway"], "userClaim": "email"}
    return [
        secret("anthropic", key),
        {
            "apiVersion": API_VERSION,
            "kind": "ClaudeCredential",
            "metadata": {"name": "anthropic"},
            "spec": {"apiKey": anthropic},
        },
        {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": "claude"}, "spec": route},
        client("platform", jwt=[{**company, "claims": {"groups": ["platform", "sre"]}}]),
        client("sales", jwt=[{**company, "claims": {"groups": ["sales"]}}], models=["claude-haiku-*"]),
        client("signed-in", jwt=[{**page, "claims": {"groups": ["platform"]}}], claudeSettings=json.dumps(PUSHED)),
    ]
