"""ModelRoute: names that clients send, and the models that answer."""

from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.base import (
    DURATION,
    GATEWAY_REF,
    BaseUrl,
    Duration,
    GatewayRef,
    ModelName,
    ModelPattern,
    ObjectName,
    Spec,
    seconds,
)
from claude_gateway.api.rule import Items, Rule, cel_string, matches

TARGET_MODEL: Final = r"^[a-z0-9_-]+/([*]|[@A-Za-z0-9][A-Za-z0-9._:/@+-]*)$"
DEFAULT_TOTAL: Final = "30m"

_FORWARDS: Final = "(has(self.forwardClientToken) && self.forwardClientToken)"

FormatName = Literal["Messages", "CountTokens", "Chat", "Completions", "Responses", "Embeddings"]
TargetModel = Annotated[
    str,
    Field(min_length=3, max_length=253),
    matches(
        TARGET_MODEL,
        wrong="not a `provider/model`",
        fix="write it as LiteLLM does, such as `openai/gpt-5`; `*` only as the whole model, such as `anthropic/*`",
    ),
]


class ModelParameters(Spec):
    """Model settings used where a request brings none of its own. A closed list, on purpose."""

    temperature: float | None = Field(
        default=None, strict=True, ge=0, le=2, description="Sampling temperature, 0 to 2 (Anthropic models: at most 1)."
    )
    top_p: float | None = Field(default=None, strict=True, ge=0, le=1, description="Nucleus sampling, 0 to 1.")
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How much the model should think before it answers."
    )


class RouteTarget(Spec):
    """One model that can answer."""

    rules = (
        Rule(
            cel="!(has(self.credential) && has(self.baseURL))",
            holds=lambda self: self.credential is None or self.base_url is None,
            wrong="`credential` and `baseURL` exclude each other: a key goes only where its ClaudeCredential says",
            fix="remove `baseURL`, or set it in the ClaudeCredential",
        ),
        Rule(
            cel=f"has(self.credential) || has(self.baseURL) || {_FORWARDS}",
            holds=lambda self: (
                self.credential is not None or self.base_url is not None or bool(self.forward_client_token)
            ),
            wrong="neither `credential` nor `baseURL` is set",
            fix="name a ClaudeCredential in `credential`, or set `baseURL` for a server that needs no key",
        ),
        Rule(
            cel=f"!(has(self.credential) && {_FORWARDS})",
            holds=lambda self: self.credential is None or not self.forward_client_token,
            wrong="`credential` and `forwardClientToken` exclude each other: one of both pays",
            fix="remove one of them",
        ),
        Rule(
            cel=f"!{_FORWARDS} || self.model.startsWith('anthropic/')",
            holds=lambda self: not self.forward_client_token or self.model.startswith("anthropic/"),
            wrong="`forwardClientToken` is set for a model that is not Anthropic's",
            fix="use it with `anthropic/...` only: the clients' own logins are Anthropic's",
        ),
        Rule(
            cel="!self.model.startsWith('anthropic/') || !has(self.parameters) || !has(self.parameters.temperature) || "
            "self.parameters.temperature <= 1.0",
            holds=lambda self: not self.model.startswith("anthropic/") or (self.parameters.temperature or 0) <= 1,
            wrong="`parameters.temperature` is above 1, which Anthropic models refuse",
            fix="write one from 0 to 1",
        ),
    )

    model: TargetModel = Field(
        description=(
            "`provider/model` as LiteLLM names it, for example `anthropic/claude-sonnet-4-5`, `openai/gpt-5`, "
            "`gemini/gemini-2.5-pro`, `hosted_vllm/llama-3`, `bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0`, "
            "`vertex_ai/claude-sonnet-4-5@20250929`. `provider/*` sends on the name that the client sent."
        ),
    )
    credential: ObjectName | None = Field(
        default=None,
        description="Name of a ClaudeCredential in this namespace. Its key goes to its own base URL and nowhere else.",
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "Address of a server that needs no key (vLLM, Ollama), instead of `credential`. With the `/v1` that "
            "the server has, as an OpenAI SDK takes it; for `anthropic/` without, as the Anthropic SDK takes it."
        ),
    )
    forward_client_token: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether to send on the client's own Anthropic login (OAuth token or key) instead of a credential, for "
            "`anthropic/` models. The client's key for the gateway then comes in the header `x-gateway-key`. Goes to "
            "`https://api.anthropic.com`, or to a `baseURL` whose host the installation allows. Default: `false`."
        ),
    )
    formats: Annotated[tuple[FormatName, ...], Items("format", most=6, unique=True)] | None = Field(
        default=None,
        description=(
            "What the server speaks by itself, where that is not the usual of its provider: `[Responses]` for an "
            "`openai/` model that has the Responses API only, `[Messages]` for an `anthropic/` server that cannot "
            "count tokens. Requests in other formats are translated. Default: known from provider, model and address."
        ),
    )
    max_output_tokens: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10_000_000,
        description="The most output tokens this model can give; a request that asks for more is lowered to it.",
    )
    weight: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=1000,
        description="Share of the requests among targets of one priority. Default: `1`.",
    )
    priority: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=15,
        description="Targets of the lowest number are used first, others when all of those failed. Default: `0`.",
    )
    parameters: ModelParameters = Field(
        default=ModelParameters(), description="Model settings used where a request brings none of its own."
    )


class RouteTimeouts(Spec):
    """How long to wait for a target. Durations such as `90s`, `5m` or `1h30m`, at most `24h`."""

    rules = (
        # Only a `firstToken` that was written can be wrong: `total: 1m` alone shortens the default too.
        Rule(
            cel=f"!has(self.firstToken) || !self.firstToken.matches({cel_string(DURATION)}) || "
            f"(has(self.total) ? !self.total.matches({cel_string(DURATION)}) || "
            "duration(self.firstToken) <= duration(self.total) : "
            f"duration(self.firstToken) <= duration('{DEFAULT_TOTAL}'))",
            holds=lambda self: (
                "first_token" not in self.model_fields_set or seconds(self.first_token) <= seconds(self.total)
            ),
            wrong="`firstToken` is longer than `total`",
            fix=f"lower `firstToken` or raise `total` (default `{DEFAULT_TOTAL}`)",
        ),
    )

    first_token: Duration = Field(
        default="2m", description="Longest wait for the first byte of a streamed answer. Default: `2m`."
    )
    idle: Duration = Field(default="5m", description="Longest silence within a streamed answer. Default: `5m`.")
    total: Duration = Field(
        default=DEFAULT_TOTAL, description=f"Longest time for a whole answer. Default: `{DEFAULT_TOTAL}`."
    )


class ModelRouteSpec(Spec):
    """Which model names exist and where they go."""

    models: Annotated[tuple[ModelPattern, ...], Items("model", most=32, unique=True)] = Field(
        description=(
            "Names that clients send. `*` matches any run of characters; the pattern with the most literal "
            "characters wins. A name belongs to one route: the oldest that claims it."
        )
    )
    display_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Name shown to people, for example in a model picker.",
    )
    targets: Annotated[tuple[RouteTarget, ...], Items("target", most=16)] = Field(
        description="Models that can answer; one is enough."
    )
    timeouts: RouteTimeouts = Field(default=RouteTimeouts(), description="How long to wait for a target.")
    safeguards_model: ModelName | None = Field(
        default=None,
        description=(
            "A model name of some route, whose model judges tool calls of Claude Code's auto mode where a target of "
            "this route is no Claude and cannot. Default: none; such requests are then not judged, which Claude Code "
            "takes for unsafe."
        ),
    )
    token_counts: Literal["Exact", "Estimate"] = Field(
        default="Exact",
        description=(
            "What a request to count tokens gets where a target cannot count: `Exact`: an error that says so. "
            "`Estimate`: an estimate, with the header `x-token-count: estimate`. Default: `Exact`."
        ),
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
