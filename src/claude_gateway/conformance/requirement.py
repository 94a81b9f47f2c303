"""Requirements: their sources, what a check of one needs, and the evidence of a failure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Source(StrEnum):
    """The origin of a requirement."""

    PROTOCOL = "Anthropic: LLM gateway protocol"
    MEASURED = "Claude Code 2.1.328, measured"
    API = "Anthropic: API reference"
    OPENAI = "OpenAI: API reference"
    AWS = "AWS: Bedrock Runtime API reference"
    PROJECT = "Claude Gateway: goals"


class Need(StrEnum):
    """What a check needs; the value is the argument of ``--without``."""

    UPSTREAM = "upstream"
    OTHER = "other-model"
    GEMINI = "gemini-model"
    RESPONSES_MODEL = "responses-model"
    BEDROCK = "bedrock"
    SIGV4 = "sigv4"
    BEDROCK_TARGET = "bedrock-model"
    VERTEX = "vertex"
    BRIDGE = "bridge"
    VERTEX_TARGET = "vertex-model"
    FORWARDING = "forward-model"
    JUDGE = "judged-model"
    ESTIMATES = "estimate-model"
    DENIED = "denied-model"
    UNKNOWN = "unknown-model"
    KEYS = "unknown-key"
    DISCOVERY = "discovery"
    CHAT = "chat"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"


NEEDS: Final[Mapping[Need, str]] = {
    Need.UPSTREAM: "the scripted model as the upstream, with its control address in --upstream",
    Need.OTHER: "a non-Claude model behind an OpenAI-compatible server",
    Need.GEMINI: "a model behind Gemini's API",
    Need.RESPONSES_MODEL: "a model that supports only OpenAI's Responses API",
    Need.BEDROCK: "client access through Bedrock's paths",
    Need.SIGV4: "clients that sign with SigV4",
    Need.BEDROCK_TARGET: "a Claude model on Bedrock as the target",
    Need.VERTEX: "client access through Vertex's paths",
    Need.VERTEX_TARGET: "a Claude model on Vertex as the target",
    Need.BRIDGE: "models outside of a cloud for clients in that cloud's mode",
    Need.FORWARDING: "a route that forwards the client's own login",
    Need.JUDGE: "a judge of tool calls for a non-Claude model",
    Need.ESTIMATES: "a route that may estimate token counts",
    Need.DENIED: "a model that exists but that the key may not use",
    Need.UNKNOWN: "rejection of unknown model names (some gateways serve them with a default model)",
    Need.KEYS: "distinct client keys (some gateways need a database for them)",
    Need.DISCOVERY: "a list of models",
    Need.CHAT: "client access through OpenAI's Chat Completions",
    Need.RESPONSES: "client access through OpenAI's Responses",
    Need.EMBEDDINGS: "client access through OpenAI's Embeddings",
}


class Failed(Exception):  # noqa: N818 - an outcome, raised from within a check
    """The requirement is not met; the message is the evidence."""


class NotApplicable(Exception):  # noqa: N818
    """The gateway does not claim the feature, or it cannot be observed here; the message says which."""


def expect(condition: object, evidence: str) -> None:
    """Raise Failed with the evidence unless the condition holds."""
    if not condition:
        raise Failed(evidence)


def shorten(value: object, limit: int = 300) -> str:
    """Format a value as evidence: one line, without its middle if it is long."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit // 2]} … {line[-limit // 3 :]}"
