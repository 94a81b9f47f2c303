"""The upstreams of the client tests: one on each wire and format, all of them the scripted one."""

from dataclasses import dataclass
from typing import Final

from claude_gateway_scripted import Recorded, digest

ANTHROPIC_KEY: Final = "sk-ant-scripted-0123456789abcdef"
OPENAI_KEY: Final = "sk-scripted-fedcba9876543210"
GOOGLE_KEY: Final = "AIza-scripted-89abcdef01234567"

ANTHROPIC_CREDENTIAL: Final = """
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: anthropic}}
spec: {{apiKey: {{provider: anthropic, secretRef: {{name: anthropic}}, baseURL: "{url}"}}}}
---
"""
"""The credential that routes to Anthropic name; the next document follows."""

ROUTES: Final = (
    ANTHROPIC_CREDENTIAL
    + """\
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: vllm}}
spec: {{apiKey: {{provider: hosted_vllm, secretRef: {{name: openai}}, baseURL: "{url}/v1"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: openai}}
spec: {{apiKey: {{provider: openai, secretRef: {{name: openai}}, baseURL: "{url}/v1"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: anthropic}}
spec:
  models: [claude-on-anthropic]
  displayName: Claude
  targets: [{{model: anthropic/scripted-claude, credential: anthropic}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: openai}}
spec:
  models: [claude-on-openai]
  targets: [{{model: hosted_vllm/scripted-gpt, credential: vllm}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: compatible}}
spec:
  models: [gpt-compatible]
  targets: [{{model: openai/scripted-gpt, credential: openai}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: google}}
spec: {{apiKey: {{provider: gemini, secretRef: {{name: google}}, baseURL: "{url}/v1beta"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: gemini}}
spec:
  models: [claude-on-gemini]
  targets: [{{model: gemini/gemini-2.5-pro, credential: google}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: responses}}
spec:
  models: [claude-on-responses]
  targets: [{{model: openai/scripted-codex, credential: openai, formats: [Responses]}}]
"""
)

PASS_THROUGH: Final = (
    ANTHROPIC_CREDENTIAL
    + """\
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: claude}}
spec:
  models: ["claude-*"]
  targets: [{{model: anthropic/*, credential: anthropic}}]
"""
)
"""Every Claude model at one upstream, under the name that the client sends."""

KEYLESS: Final = """
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: anthropic}}
spec:
  models: [claude-on-anthropic]
  targets: [{{model: anthropic/scripted-claude, baseURL: "{url}"}}]
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: openai}}
spec:
  models: [claude-on-openai]
  targets: [{{model: hosted_vllm/scripted-gpt, baseURL: "{url}/v1"}}]
"""
"""The routes to Anthropic and to vLLM, for tests in which no upstream asks for a key."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model name that clients send, and what the upstream behind it must see."""

    model: str
    upstream_model: str
    path: str
    credential: str

    def __str__(self) -> str:
        return self.model

    @property
    def alias(self) -> str:
        """The name under which a route is listed for pickers that keep Claude's names only."""
        return f"claude-{self.model}"

    def saw(self, request: Recorded) -> bool:
        """Return whether a request came on this target's wire, with its model and its own key."""
        if self.path.startswith("/v1beta/"):
            # The model is in the path; the key's header is Google's.
            key = request.header("x-goog-api-key")
            return request.path.startswith(self.path) and self.upstream_model in self.path and key == self.credential
        found = (request.path, request.json["model"], request.credential)
        return found == (self.path, self.upstream_model, self.credential)


def streamed(request: Recorded) -> bool:
    """Return whether a stream was requested; Google has it in the path."""
    return request.path.endswith(":streamGenerateContent") or request.json.get("stream") is True


ANTHROPIC: Final = Target("claude-on-anthropic", "scripted-claude", "/v1/messages", digest(ANTHROPIC_KEY))
OPENAI: Final = Target("claude-on-openai", "scripted-gpt", "/v1/chat/completions", digest(OPENAI_KEY))
COMPATIBLE: Final = Target("gpt-compatible", "scripted-gpt", "/v1/chat/completions", digest(OPENAI_KEY))
"""An ``openai/`` target at another address than OpenAI's own: such servers rarely have the Responses API."""
RESPONSES: Final = Target("claude-on-responses", "scripted-codex", "/v1/responses", digest(OPENAI_KEY))
"""A model that only knows the Responses API."""

GEMINI: Final = Target("claude-on-gemini", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:", digest(GOOGLE_KEY))

ALL: Final = (ANTHROPIC, OPENAI, COMPATIBLE, RESPONSES, GEMINI)
