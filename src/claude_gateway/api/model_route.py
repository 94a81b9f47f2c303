"""ModelRoute: names that clients send, and the models that answer."""

from typing import Annotated, Literal

from pydantic import Field

from claude_gateway.api.base import Duration, ModelPattern, ObjectName, Spec


class ModelParameters(Spec):
    """Model settings used where a request brings none of its own. A closed list, on purpose."""

    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Sampling temperature, 0 to 2 (Anthropic models: at most 1)."
    )
    top_p: float | None = Field(default=None, ge=0, le=1, description="Nucleus sampling, 0 to 1.")
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How much the model should think before it answers."
    )


class RouteTarget(Spec):
    """One model that can answer."""

    model: str = Field(
        min_length=3,
        max_length=253,
        pattern=r"^[a-z0-9_-]+/[A-Za-z0-9*][A-Za-z0-9._:/@+-]*$",
        description=(
            "`provider/model` as LiteLLM names it, for example `anthropic/claude-sonnet-4-5`, `openai/gpt-5`, "
            "`gemini/gemini-2.5-pro`, `hosted_vllm/llama-3`. `provider/*` sends on the name that the client sent."
        ),
    )
    credential: ObjectName | None = Field(
        default=None,
        description="Name of a ClaudeCredential in this namespace. Its key goes to its own base URL and nowhere else.",
    )
    base_url: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^https?://[^\s?#@]+$",
        description=(
            "Address of a server that needs no key (vLLM, Ollama), instead of `credential`. With the `/v1` that "
            "the server has, as an OpenAI SDK takes it; for `anthropic/` without, as the Anthropic SDK takes it."
        ),
    )
    max_output_tokens: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="The most output tokens this model can give; a request that asks for more is lowered to it.",
    )
    weight: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Share of the requests among targets of one priority. Default: 1.",
    )
    priority: int = Field(
        default=0,
        ge=0,
        le=15,
        description="Targets of the lowest number are used first, others when all of those failed. Default: 0.",
    )
    parameters: ModelParameters = Field(
        default=ModelParameters(), description="Model settings used where a request brings none of its own."
    )


class RouteTimeouts(Spec):
    """How long to wait for a target. Durations such as `90s`, `5m` or `1h30m`."""

    first_token: Duration = Field(
        default="2m", description="Longest wait for the first byte of a streamed answer. Default: `2m`."
    )
    idle: Duration = Field(default="5m", description="Longest silence within a streamed answer. Default: `5m`.")
    total: Duration = Field(default="30m", description="Longest time for a whole answer. Default: `30m`.")


class ModelRouteSpec(Spec):
    """Which model names exist and where they go."""

    models: Annotated[
        tuple[ModelPattern, ...],
        Field(
            min_length=1,
            max_length=32,
            json_schema_extra={"uniqueItems": True},
            description=(
                "Names that clients send. `*` matches any run of characters; the pattern with the most literal "
                "characters wins. A name belongs to one route: the oldest that claims it."
            ),
        ),
    ]
    display_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Name shown to people, for example in a model picker.",
    )
    targets: Annotated[
        tuple[RouteTarget, ...],
        Field(min_length=1, max_length=16, description="Models that can answer; one is enough."),
    ]
    timeouts: RouteTimeouts = Field(default=RouteTimeouts(), description="How long to wait for a target.")
