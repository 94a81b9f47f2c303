"""Targets on every kind of wire, all of them the scripted upstream; and Claude Code's modes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support.builders.targets import ANTHROPIC_CREDENTIAL
from tests.support.processes.gateway import Manifest

from claude_gateway.names import LABEL_CREDENTIAL, Kind
from claude_gateway_scripted import Recorded, digest

AWS_KEYS: Final = {"AKIDSCRIPTED": "scripted/secret+key"}
GOOGLE_TOKEN: Final = "ya29.scripted-token"
ANTHROPIC_KEY: Final = "sk-ant-scripted-modes-0123456789"
GEMINI_KEY: Final = "AIza-scripted-modes-0123456789"
OPENAI_KEY: Final = "sk-scripted-modes-0123456789"

ROUTES: Final = (
    ANTHROPIC_CREDENTIAL
    + """\
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: bedrock}}
spec: {{bedrock: {{region: eu-west-1, secretRef: {{name: aws}}, baseURL: "{url}"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: vertex}}
spec:
  vertex: {{project: team, location: europe-west1, secretRef: {{name: google, key: key.json}}, baseURL: "{url}"}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: openai}}
spec: {{apiKey: {{provider: hosted_vllm, secretRef: {{name: openai}}, baseURL: "{url}/v1"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: on-anthropic}}
spec:
  models: [claude-opus-4-1]
  targets: [{{model: anthropic/claude-opus-4-1, credential: anthropic}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: on-bedrock}}
spec:
  models: [claude-opus-4-5]
  targets: [{{model: "bedrock/eu.anthropic.claude-opus-4-5-20251101-v1:0", credential: bedrock}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: on-vertex}}
spec:
  models: [claude-sonnet-5]
  targets: [{{model: "vertex_ai/claude-sonnet-5@20260203", credential: vertex}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: on-openai}}
spec:
  models: [claude-haiku-4-5]
  targets: [{{model: hosted_vllm/scripted-gpt, credential: openai}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: gemini}}
spec: {{apiKey: {{provider: gemini, secretRef: {{name: gemini}}, baseURL: "{url}/v1beta"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: on-gemini}}
spec:
  models: [claude-fable-5]
  targets: [{{model: gemini/gemini-2.5-pro, credential: gemini}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: the-rest}}
spec:
  models: ["*"]
  targets: [{{model: "anthropic/*", credential: anthropic}}]
"""
)


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of target: its model's plain name, its name at the clouds, and the paths that must be requested."""

    name: str
    plain: str
    bedrock: str
    vertex: str
    stream_path: str
    whole_path: str

    def __str__(self) -> str:
        return self.name

    def asked(self, request: Recorded) -> bool:
        """Return whether a request reached this target with the gateway's own credential there."""
        if request.path not in (self.stream_path, self.whole_path):
            return False
        if self is BEDROCK:
            return (request.header("authorization") or "").startswith("AWS4-HMAC-SHA256 ")
        keys = {ANTHROPIC: ANTHROPIC_KEY, VERTEX: GOOGLE_TOKEN, OPENAI: OPENAI_KEY, GEMINI: GEMINI_KEY}
        return request.credential == digest(keys[self])


_VERTEX_MODEL: Final = "/v1/projects/team/locations/europe-west1/publishers/anthropic/models/claude-sonnet-5@20260203"
ANTHROPIC: Final = Target(
    "anthropic",
    "claude-opus-4-1",
    "us.anthropic.claude-opus-4-1-20250805-v1:0",
    "claude-opus-4-1@20250805",
    "/v1/messages",
    "/v1/messages",
)
BEDROCK: Final = Target(
    "bedrock",
    "claude-opus-4-5",
    "eu.anthropic.claude-opus-4-5-20251101-v1:0",
    "claude-opus-4-5@20251101",
    "/model/eu.anthropic.claude-opus-4-5-20251101-v1%3A0/invoke-with-response-stream",
    "/model/eu.anthropic.claude-opus-4-5-20251101-v1%3A0/invoke",
)
VERTEX: Final = Target(
    "vertex",
    "claude-sonnet-5",
    "us.anthropic.claude-sonnet-5-20260203-v1:0",
    "claude-sonnet-5@20260203",
    f"{_VERTEX_MODEL}:streamRawPredict",
    f"{_VERTEX_MODEL}:rawPredict",
)
OPENAI: Final = Target(
    "openai",
    "claude-haiku-4-5",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "claude-haiku-4-5@20251001",
    "/v1/chat/completions",
    "/v1/chat/completions",
)
GEMINI: Final = Target(
    "gemini",
    "claude-fable-5",
    "us.anthropic.claude-fable-5-20260301-v1:0",
    "claude-fable-5@20260301",
    "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    "/v1beta/models/gemini-2.5-pro:generateContent",
)
TARGETS: Final = (ANTHROPIC, BEDROCK, VERTEX, OPENAI, GEMINI)


def secrets(token_url: str) -> list[Manifest]:
    """The Secrets that ``ROUTES`` names; the service account gets its tokens at ``token_url``."""
    (access_key, secret_key), *_ = AWS_KEYS.items()
    return [
        _secret("anthropic", {"key": ANTHROPIC_KEY}),
        _secret("openai", {"key": OPENAI_KEY}),
        _secret("gemini", {"key": GEMINI_KEY}),
        _secret("aws", {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}),
        _secret("google", {"key.json": json.dumps(service_account(token_url))}),
    ]


def service_account(token_url: str) -> dict[str, str]:
    """The key file of a service account that was made for this run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": "team",
        "private_key_id": "scripted",
        "private_key": pem,
        "client_email": "gateway@team.iam.gserviceaccount.com",
        "token_uri": token_url,
    }


@dataclass(frozen=True, slots=True)
class Mode:
    """One way in which Claude Code is pointed at a gateway, and how it shows its key there."""

    name: str
    environment: Mapping[str, str]
    wire: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def settings(self, *, url: str, key: str) -> dict[str, str]:
        """The environment for a gateway at ``url``; what ``cli.run`` sets by itself is emptied unless it is wanted."""
        own = {"ANTHROPIC_BASE_URL": "", "ANTHROPIC_AUTH_TOKEN": ""}
        return own | {name: text.format(url=url, key=key) for name, text in self.environment.items()}

    def model(self, target: Target) -> str:
        """The model's name as a user of this mode writes it."""
        return {"bedrock": target.bedrock, "vertex": target.vertex}.get(self.wire, target.plain)


_BEDROCK: Final = {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1"}
_VERTEX: Final = {
    "CLAUDE_CODE_USE_VERTEX": "1",
    "ANTHROPIC_VERTEX_PROJECT_ID": "any",
    "CLOUD_ML_REGION": "us-east5",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
}
_HELPER: Final = ("--settings", '{"apiKeyHelper": "printenv GATEWAY_KEY"}')


def _mode(name: str, *arguments: str, **environment: Any) -> Mode:
    return Mode(name, environment, name.partition("-")[0], arguments)


MODES: Final = (
    _mode(
        "bedrock-token",
        **_BEDROCK,
        ANTHROPIC_BEDROCK_BASE_URL="{url}/bedrock",
        CLAUDE_CODE_SKIP_BEDROCK_AUTH="1",
        ANTHROPIC_AUTH_TOKEN="{key}",
    ),
    _mode(
        "bedrock-helper",
        *_HELPER,
        **_BEDROCK,
        ANTHROPIC_BEDROCK_BASE_URL="{url}",
        CLAUDE_CODE_SKIP_BEDROCK_AUTH="1",
        GATEWAY_KEY="{key}",
    ),
    _mode("bedrock-bearer", **_BEDROCK, ANTHROPIC_BEDROCK_BASE_URL="{url}", AWS_BEARER_TOKEN_BEDROCK="{key}"),
    _mode(
        "bedrock-sigv4",
        **_BEDROCK,
        ANTHROPIC_BEDROCK_BASE_URL="{url}/bedrock",
        AWS_ACCESS_KEY_ID="{key}",
        AWS_SECRET_ACCESS_KEY="{key}",
    ),
    _mode("vertex-token", **_VERTEX, ANTHROPIC_VERTEX_BASE_URL="{url}/vertex/v1", ANTHROPIC_AUTH_TOKEN="{key}"),
    _mode("vertex-helper", *_HELPER, **_VERTEX, ANTHROPIC_VERTEX_BASE_URL="{url}", GATEWAY_KEY="{key}"),
    _mode(
        "foundry-key",
        CLAUDE_CODE_USE_FOUNDRY="1",
        ANTHROPIC_FOUNDRY_BASE_URL="{url}/anthropic",
        ANTHROPIC_FOUNDRY_API_KEY="{key}",
    ),
    _mode(
        "mantle-sigv4",
        CLAUDE_CODE_USE_MANTLE="1",
        ANTHROPIC_BEDROCK_MANTLE_BASE_URL="{url}",
        AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="{key}",
        AWS_SECRET_ACCESS_KEY="{key}",
    ),
    _mode(
        "aws-key",
        CLAUDE_CODE_USE_ANTHROPIC_AWS="1",
        ANTHROPIC_AWS_BASE_URL="{url}",
        ANTHROPIC_AWS_WORKSPACE_ID="any",
        ANTHROPIC_AWS_API_KEY="{key}",
        AWS_REGION="us-east-1",
    ),
    _mode("gateway-token", CLAUDE_CODE_USE_GATEWAY="1", ANTHROPIC_BASE_URL="{url}", ANTHROPIC_AUTH_TOKEN="{key}"),
    _mode("messages-token", ANTHROPIC_BASE_URL="{url}", ANTHROPIC_AUTH_TOKEN="{key}"),
    _mode("messages-helper", *_HELPER, ANTHROPIC_BASE_URL="{url}", GATEWAY_KEY="{key}"),
)


def _secret(name: str, values: Mapping[str, str]) -> Manifest:
    metadata = {"name": name, "labels": {LABEL_CREDENTIAL: "true"}}
    return {"apiVersion": "v1", "kind": Kind.SECRET.value, "metadata": metadata, "stringData": dict(values)}
