"""What the suite must know about the gateway: model names, paths, silence before a ping, features not claimed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from claude_gateway.conformance.requirement import Need


@dataclass(frozen=True, slots=True)
class Models:
    """Model names that clients send; the defaults are those of the printed configuration. Empty means none.

    ``claude`` is a Claude model behind Anthropic's API. ``bedrock_id``, ``bedrock_arn`` and ``vertex_id`` are its names
    as clients in the modes of the clouds send them. ``other`` is behind an OpenAI-compatible server with at most
    ``max_output_tokens``. ``bedrock`` and ``vertex`` are Claude models on these clouds.
    """

    claude: str = field(default="claude-opus-4-5", metadata={"help": "a Claude model behind Anthropic's API"})
    bedrock_id: str = field(
        default="us.anthropic.claude-opus-4-5-20251101-v1:0", metadata={"help": "its ID in Bedrock mode"}
    )
    bedrock_arn: str = field(
        default="arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456",
        metadata={"help": "an inference profile for it"},
    )
    vertex_id: str = field(default="claude-opus-4-5@20251101", metadata={"help": "its ID in Vertex mode"})
    other: str = field(default="gpt-5", metadata={"help": "a model behind an OpenAI-compatible server"})
    gemini: str = field(default="gemini-3-pro", metadata={"help": "a model behind Gemini's API"})
    responses: str = field(
        default="gpt-5-codex", metadata={"help": "a model that supports only OpenAI's Responses API"}
    )
    embedding: str = field(default="text-embedding-3-small", metadata={"help": "an embedding model"})
    bedrock: str = field(default="claude-on-bedrock", metadata={"help": "a Claude model on Bedrock"})
    vertex: str = field(default="claude-on-vertex", metadata={"help": "a Claude model on Vertex"})
    forward: str = field(default="claude-own-login", metadata={"help": "a route that forwards the client's own login"})
    estimate: str = field(default="gpt-5-estimated", metadata={"help": "a route that may estimate token counts"})
    judged: str = field(default="gpt-5-judged", metadata={"help": "a route whose tool calls are judged"})
    denied: str = field(default="claude-denied", metadata={"help": "a model that exists but that the key may not use"})


_NEEDED: Mapping[str, Need] = {
    "other": Need.OTHER,
    "gemini": Need.GEMINI,
    "responses": Need.RESPONSES_MODEL,
    "embedding": Need.EMBEDDINGS,
    "bedrock": Need.BEDROCK_TARGET,
    "vertex": Need.VERTEX_TARGET,
    "forward": Need.FORWARDING,
    "estimate": Need.ESTIMATES,
    "judged": Need.JUDGE,
    "denied": Need.DENIED,
}


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run.

    ``silence`` is in seconds. ``key_header`` carries the gateway key if ``authorization`` holds the client's own
    login. ``without`` are the features that the gateway does not claim.
    """

    key: str = field(repr=False)
    models: Models = Models()
    max_output_tokens: int = 8192
    silence: float = 35.0
    key_header: str = "x-gateway-key"
    bedrock_base: str = ""
    bedrock_prefix: str = "/bedrock"
    vertex_base: str = "/v1"
    vertex_prefix: str = "/vertex/v1"
    without: frozenset[Need] = frozenset()

    def missing(self, *, upstream: bool) -> frozenset[Need]:
        """Return the needs that are not met in this run."""
        named = {item.name: getattr(self.models, item.name) for item in fields(self.models)}
        unnamed = {need for name, need in _NEEDED.items() if not named[name]}
        return self.without | unnamed | (frozenset() if upstream else {Need.UPSTREAM})
