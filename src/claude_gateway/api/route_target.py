"""A target of a ModelRoute: one model that can serve requests, and what is said about it."""

from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.base import BaseUrl, FormatName, ObjectName, Spec
from claude_gateway.api.limits import Limits
from claude_gateway.api.rule import Items, Rule, matches

TARGET_MODEL: Final = r"^[a-z0-9_-]+/([*]|[@A-Za-z0-9][A-Za-z0-9._:/@+-]*)$"
_FORWARDS: Final = "(has(self.forwardClientToken) && self.forwardClientToken)"

TargetModel = Annotated[
    str,
    Field(min_length=3, max_length=253),
    matches(
        TARGET_MODEL,
        wrong="not of the form `provider/model`",
        fix="write it as LiteLLM does, such as `openai/gpt-5`; `*` can only be the whole model, such as `anthropic/*`",
    ),
]


class ModelParameters(Spec):
    """Model settings used if a request has none of its own. The list is closed on purpose: no free-form parameters."""

    temperature: float | None = Field(
        default=None, strict=True, ge=0, le=2, description="Sampling temperature, 0 to 2 (Anthropic models: at most 1)."
    )
    top_p: float | None = Field(default=None, strict=True, ge=0, le=1, description="Nucleus sampling, 0 to 1.")
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How much the model should reason before it answers."
    )


class ModelAbilities(Spec):
    """What a model can do, if the table of models is wrong about it or does not know it."""

    images: bool | None = Field(default=None, strict=True, description="Whether it reads images.")
    documents: bool | None = Field(default=None, strict=True, description="Whether it reads PDFs and other files.")
    tools: bool | None = Field(default=None, strict=True, description="Whether it calls tools.")
    thinking: bool | None = Field(default=None, strict=True, description="Whether it supports thinking.")


Dollars = Annotated[str, Field(min_length=1, max_length=13, pattern=r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?$")]
"""A decimal number as a string; a pattern of the schema, because a rule for each would exhaust the budget for CEL."""


class TargetPrices(Spec):
    """What a target's tokens cost, in dollars per million. What is left out follows from what is there."""

    input: Dollars = Field(description="Input tokens that no cache has.")
    output: Dollars = Field(description="Output tokens.")
    cache_read: Dollars | None = Field(
        default=None, description="Input tokens that are read from the prompt cache. Default: the price of `input`."
    )
    cache_write: Dollars | None = Field(
        default=None,
        description="Input tokens that are written to the cache for five minutes. Default: the price of `input`.",
    )
    cache_write_1h: Dollars | None = Field(
        default=None,
        alias="cacheWrite1h",
        description="Input tokens that are written to the cache for an hour. Default: the price of `cacheWrite`.",
    )
    reasoning: Dollars | None = Field(
        default=None, description="Output tokens that the model thinks with. Default: the price of `output`."
    )
    searches: Dollars | None = Field(
        default=None, description='A thousand searches of the vendor\'s own web search. Default: `"0"`.'
    )


class RouteTarget(Spec):
    """One model that can serve requests."""

    rules = (
        Rule(
            cel="!(has(self.credential) && has(self.baseURL))",
            holds=lambda self: self.credential is None or self.base_url is None,
            wrong="both `credential` and `baseURL` are set, but a key goes only to the address in its ClaudeCredential",
            fix="remove `baseURL`, or set it in the ClaudeCredential instead",
        ),
        Rule(
            cel=f"has(self.credential) || has(self.baseURL) || {_FORWARDS}",
            holds=lambda self: (
                self.credential is not None or self.base_url is not None or bool(self.forward_client_token)
            ),
            wrong="neither `credential` nor `baseURL` is set",
            fix="set `credential` to the name of a ClaudeCredential, or set `baseURL` for a server that needs no key",
        ),
        Rule(
            cel=f"!(has(self.credential) && {_FORWARDS})",
            holds=lambda self: self.credential is None or not self.forward_client_token,
            wrong="both `credential` and `forwardClientToken` are set",
            fix="set either `credential` or `forwardClientToken`, not both",
        ),
        Rule(
            cel=f"!{_FORWARDS} || self.model.startsWith('anthropic/')",
            holds=lambda self: not self.forward_client_token or self.model.startswith("anthropic/"),
            wrong="`forwardClientToken` is set, but the model is not `anthropic/...`",
            fix="use it only with `anthropic/...` models, because it sends on the client's Anthropic login",
        ),
        Rule(
            cel="!has(self.verbatim) || !self.verbatim || self.model.endsWith('/*')",
            holds=lambda self: not self.verbatim or self.model.endswith("/*"),
            wrong="`verbatim` is set, but the target has a model name of its own",
            fix="remove `verbatim`, or pass on the client's name: write the model as `provider/*`",
        ),
        Rule(
            cel="!self.model.startsWith('anthropic/') || !has(self.parameters) || !has(self.parameters.temperature) || "
            "self.parameters.temperature <= 1.0",
            holds=lambda self: not self.model.startswith("anthropic/") or (self.parameters.temperature or 0) <= 1,
            wrong="`parameters.temperature` is above 1, which Anthropic models reject",
            fix="set `parameters.temperature` to a number from 0 to 1",
        ),
    )

    model: TargetModel = Field(
        description=(
            "`provider/model` as LiteLLM names it, for example `anthropic/claude-sonnet-5-5`, `openai/gpt-5`, "
            "`gemini/gemini-2.5-pro`, `hosted_vllm/llama-3`, `bedrock/us.anthropic.claude-opus-5-5`, "
            "`vertex_ai/claude-opus-5-5`. `provider/*` passes on the model name that the client sent, without the same "
            "`provider/` in front of it and without a context such as `[1m]` behind it."
        ),
    )
    credential: ObjectName | None = Field(
        default=None,
        description="Name of a ClaudeCredential in this namespace. Its key is sent only to its own base URL.",
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "Address of a server that needs no key (vLLM, Ollama), instead of `credential`. Include the server's "
            "`/v1`, as for an OpenAI SDK; leave it out for `anthropic/` models, as for the Anthropic SDK."
        ),
    )
    forward_client_token: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether to forward the client's own Anthropic login (OAuth token or key) instead of using a credential, "
            "for `anthropic/` models. Clients then send their gateway key in the header `x-gateway-key`. The login is "
            "sent to `https://api.anthropic.com`, or to a `baseURL` with an allowed host. Default: `false`."
        ),
    )
    verbatim: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether a `provider/*` target gets the model name exactly as the client sent it, and its answers keep the "
            "name that the server gives the model, for servers whose own names begin with a provider, such as "
            "`openai/gpt-oss-20b`, and for requests and answers that are to stay byte for byte: no stream is asked for "
            "token counts that the client did not request. Default: `false`."
        ),
    )
    formats: Annotated[tuple[FormatName, ...], Items("format", most=6, unique=True)] | None = Field(
        default=None,
        description=(
            "API formats that the server supports, if they differ from the provider's usual ones: `[Responses]` for an "
            "`openai/` model that has only the Responses API, `[Messages]` for an `anthropic/` server that cannot "
            "count tokens. Requests in other formats are translated. Default: derived from provider, model and address."
        ),
    )
    via: Literal["LiteLLM"] | None = Field(
        default=None,
        description=(
            "What translates requests in formats that the target does not support itself. `LiteLLM` uses LiteLLM also "
            "where the gateway has a translation of its own, for example for a setting that only LiteLLM knows. "
            "Default: the gateway's own translation for the providers that it knows, LiteLLM for all others."
        ),
    )
    context_window: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=100_000_000,
        description=(
            "The most input tokens that this model accepts. A longer request goes to another target of the route; if "
            "none does, it is rejected before it is sent, so that Claude Code compacts its conversation. Default: "
            "from the table of models; requests of any length are sent to a model that it does not know."
        ),
    )
    max_output_tokens: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10_000_000,
        description=(
            "The most output tokens that this model supports; a request that asks for more is lowered to this. "
            "Default: from the table of models, for models at Anthropic, OpenAI, Google and AWS."
        ),
    )
    supports: ModelAbilities = Field(
        default=ModelAbilities(),
        description=(
            "What this model can do. A request goes to targets that support what it needs; where each target of the "
            "route says `false` to it, the request is rejected. Default: from the table of models, which never rejects."
        ),
    )
    prices: TargetPrices | None = Field(
        default=None,
        description=(
            "What the tokens of this target cost, for budgets and reports, instead of the list price: a discount, a "
            "model that the table of models does not know, or a server of your own. Default: the list price; nothing "
            "for subscriptions, clients' own logins and servers of your own; a safe price, which is marked, for "
            "models without a known one."
        ),
    )
    weight: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=1000,
        description="Share of the sessions (see `affinity`) among targets of the same priority. Default: `1`.",
    )
    priority: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=15,
        description="The lowest number is tried first, higher ones only after all lower ones failed. Default: `0`.",
    )
    limits: Limits | None = Field(
        default=None,
        description=(
            "How much may be sent to this target. A request for which it has no room goes to the next one; where there "
            "is none, it waits for this one. Default: no limits."
        ),
    )
    parameters: ModelParameters = Field(
        default=ModelParameters(), description="Model settings used if a request has none of its own."
    )
