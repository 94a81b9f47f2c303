"""What we know of LiteLLM's providers, one row each: to support another provider is to add its row.

The planner renders a row into the targets that use it, as fields of their own; the data plane reads those and never
looks a provider up by name. ``tests/contract/litellm/test_providers.py`` measures the rows with the real LiteLLM:
every provider in here sends the key to the base URL that it is given and nowhere else, and the two tables together,
without our own backend, are exactly the providers that LiteLLM knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.contract.target import ChatCapabilities, Counting, Format, ToolSchema, Translation, Wire

_OF_CLAUDE: Final = (Format.MESSAGES, Format.COUNT_TOKENS)
_OF_OPENAI: Final = (Format.CHAT, Format.RESPONSES)
"""Formats of OpenAI's clients that the codec translates for a Claude."""
_OPENAI_COMPATIBLE: Final = (Format.CHAT, Format.COMPLETIONS, Format.EMBEDDINGS)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    ``wire`` and ``formats`` are what it speaks by itself, so that a relay can serve it; the formats of a cloud are
    those of its Claude models. ``base_url`` is the address used where a credential names none (None: LiteLLM's own).
    It is set where a relay needs it, and where LiteLLM would otherwise derive an address from the model's name, which
    a route author writes. ``elsewhere`` is the provider whose row holds for servers at other addresses than the
    provider's own. ``credential`` is the field of a ClaudeCredential that pays, where that is not ``apiKey``: an
    identity in a cloud, or a subscription. ``telemetry`` is OpenTelemetry's name, where it differs.
    """

    wire: Wire | None = None
    formats: tuple[Format, ...] = ()
    base_url: str | None = None
    needs_base_url: bool = False
    elsewhere: str | None = None
    credential: str | None = None
    translation: Translation = field(default_factory=Translation)
    telemetry: str | None = None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_OWN_ADDRESS: Final = Provider()
_NO_ADDRESS: Final = Provider(needs_base_url=True)
_COMPATIBLE_SERVER: Final = Provider(
    wire=Wire.OPENAI, formats=_OPENAI_COMPATIBLE, needs_base_url=True, translation=Translation(codec=_OF_CLAUDE)
)
_GEMINI: Final = ChatCapabilities(
    tool_schema=ToolSchema.GEMINI, signatures=True, top_k=True, empty_tools=False, budget=True
)
_THINKER: Final = Translation(codec=_OF_CLAUDE, chat=ChatCapabilities(reasoning=True, files=False))
_SWITCHED: Final = Translation(codec=_OF_CLAUDE, chat=ChatCapabilities(reasoning=True, files=False, switch=True))
_DEEPSEEK: Final = Translation(
    codec=_OF_CLAUDE, chat=ChatCapabilities(reasoning=True, files=False, reasoned_calls=True, switch=True)
)
_MOONSHOT: Final = Translation(
    codec=_OF_CLAUDE,
    chat=ChatCapabilities(
        tool_schema=ToolSchema.MOONSHOT, reasoning=True, files=False, reasoned_calls=True, switch=True
    ),
)

_TRANSLATED: Final = _names(
    "ai21_chat amazon_nova codestral cohere cohere_chat cometapi compactifai datarobot edenai empower "
    "featherless_ai fireworks_ai friendliai galadriel github jina_ai maritalk meta_llama nadir ovhcloud perplexity "
    "sail sambanova sarvam tencent tensormesh vercel_ai_gateway volcengine voyage"
)

_COMPATIBLE: Final[Mapping[str, str]] = {
    "abliteration": "https://api.abliteration.ai/v1",
    "aihubmix": "https://aihubmix.com/v1",
    "aiml": "https://api.aimlapi.com/v1",
    "apertis": "https://api.stima.tech/v1",
    "assemblyai": "https://llm-gateway.assemblyai.com/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "charity_engine": "https://api.charityengine.services/remotejobs/v2/inference",
    "chutes": "https://llm.chutes.ai/v1",
    "cognition": "https://api.cognition.ai/v1",
    "cortecs": "https://api.cortecs.ai/v1",
    "crusoe": "https://managed-inference-api-proxy.crusoecloud.com/v1",
    "darkbloom": "https://api.darkbloom.dev/v1",
    "dashscope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "empiriolabs": "https://api.empiriolabs.ai/v1",
    "gmi": "https://api.gmi-serving.com/v1",
    "groq": "https://api.groq.com/openai/v1",
    "helicone": "https://ai-gateway.helicone.ai",
    "hyperbolic": "https://api.hyperbolic.xyz/v1",
    "inception": "https://api.inceptionlabs.ai/v1",
    "lambda_ai": "https://api.lambda.ai/v1",
    "libertai": "https://api.libertai.io/v1",
    "llamagate": "https://api.llamagate.dev/v1",
    "meta": "https://api.meta.ai/v1",
    "modelscope": "https://api-inference.modelscope.cn/v1",
    "morph": "https://api.morphllm.com/v1",
    "nano-gpt": "https://nano-gpt.com/api/v1",
    "nebius": "https://api.studio.nebius.ai/v1",
    "neosantara": "https://api.neosantara.xyz/v1",
    "novita": "https://api.novita.ai/v3/openai",
    "nscale": "https://inference.api.nscale.com/v1",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "parasail": "https://api.parasail.io/v1",
    "pinstripes": "https://pinstripes.io/v1",
    "poe": "https://api.poe.com/v1",
    "prism": "https://api.prisminference.com/v1",
    "publicai": "https://api.publicai.co/v1",
    "qwen_ai_platform": "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "qwencloud": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "reka": "https://api.reka.ai/v1",
    "scaleway": "https://api.scaleway.ai/v1",
    "scx-ai": "https://api.scx.ai/v1",
    "synthetic": "https://api.synthetic.new/openai/v1",
    "together_ai": "https://api.together.ai/v1",
    "v0": "https://api.v0.dev/v1",
    "veniceai": "https://api.venice.ai/api/v1",
    "wandb": "https://api.inference.wandb.ai/v1",
    "xiaomi_mimo": "https://api.xiaomimimo.com/v1",
}
"""Providers whose API is Chat Completions as they are, and its address, which is LiteLLM's default too."""

_TRANSLATED_SERVERS: Final = _names(
    "azure_ai azure_text cloudflare databricks docker_model_runner heroku infinity ollama ollama_chat snowflake "
    "xinference"
)

CLAUDE_CODE: Final = "claude-code"
"""Our own backend, which asks the genuine Claude Code; LiteLLM knows no provider of this name."""

PROVIDERS: Final[Mapping[str, Provider]] = {
    **dict.fromkeys(_TRANSLATED, _OWN_ADDRESS),
    **{
        name: Provider(wire=Wire.OPENAI, base_url=address, translation=Translation(codec=_OF_CLAUDE))
        for name, address in _COMPATIBLE.items()
    },
    **dict.fromkeys(_TRANSLATED_SERVERS, _NO_ADDRESS),
    "anthropic": Provider(
        wire=Wire.ANTHROPIC,
        formats=_OF_CLAUDE,
        base_url="https://api.anthropic.com",
        translation=Translation(codec=_OF_OPENAI, counting=Counting(format=Format.MESSAGES)),
    ),
    "azure": Provider(needs_base_url=True, telemetry="azure.ai.openai"),
    # LiteLLM would send the key to <model>.api.baseten.co, which is anybody's who has that model.
    "baseten": Provider(base_url="https://inference.baseten.co/v1"),
    "bedrock": Provider(
        wire=Wire.BEDROCK,
        formats=_OF_CLAUDE,
        credential="bedrock",
        translation=Translation(codec=_OF_OPENAI),
        telemetry="aws.bedrock",
    ),
    CLAUDE_CODE: Provider(
        wire=Wire.ANTHROPIC,
        formats=_OF_CLAUDE,
        credential="subscription",
        translation=Translation(provider="anthropic"),
        telemetry="anthropic",
    ),
    "deepseek": Provider(wire=Wire.OPENAI, base_url="https://api.deepseek.com", translation=_DEEPSEEK),
    "gemini": Provider(
        translation=Translation(chat=_GEMINI, counting=Counting(format=Format.CHAT, own_path="/v1beta")),
        telemetry="gcp.gemini",
    ),
    "hosted_vllm": Provider(
        wire=Wire.OPENAI,
        formats=_OPENAI_COMPATIBLE,
        needs_base_url=True,
        # Servers that are merely compatible rarely have the Responses API.
        translation=Translation(
            codec=_OF_CLAUDE,
            responses_as_chat=True,
            chat=ChatCapabilities(signatures=True, reasoning=True, files=False, top_k=True),
        ),
    ),
    "litellm_proxy": _COMPATIBLE_SERVER,
    "llamafile": _COMPATIBLE_SERVER,
    "lm_studio": _COMPATIBLE_SERVER,
    "minimax": Provider(wire=Wire.OPENAI, base_url="https://api.minimax.io/v1", translation=_THINKER),
    "mistral": Provider(
        wire=Wire.OPENAI,
        base_url="https://api.mistral.ai/v1",
        translation=Translation(
            codec=_OF_CLAUDE, chat=ChatCapabilities(named_choice=False, short_ids=True, results_last=True)
        ),
        telemetry="mistral_ai",
    ),
    "moonshot": Provider(wire=Wire.OPENAI, base_url="https://api.moonshot.ai/v1", translation=_MOONSHOT),
    "openai": Provider(
        wire=Wire.OPENAI,
        formats=(*_OPENAI_COMPATIBLE, Format.RESPONSES),
        base_url="https://api.openai.com/v1",
        elsewhere="hosted_vllm",
        # Some of its models support only Responses, and only there do they return their reasoning.
        translation=Translation(
            codec=_OF_CLAUDE,
            messages=Format.RESPONSES,
            counting=Counting(format=Format.CHAT, path="/responses/input_tokens"),
        ),
    ),
    "openrouter": Provider(
        wire=Wire.OPENAI,
        formats=(Format.CHAT, Format.COMPLETIONS),
        base_url="https://openrouter.ai/api/v1",
        translation=Translation(codec=_OF_CLAUDE, chat=ChatCapabilities(details=True)),
    ),
    "vertex_ai": Provider(
        wire=Wire.VERTEX,
        formats=_OF_CLAUDE,
        credential="vertex",
        translation=Translation(codec=_OF_OPENAI, chat=_GEMINI),
        telemetry="gcp.vertex_ai",
    ),
    "xai": Provider(
        wire=Wire.OPENAI,
        base_url="https://api.x.ai/v1",
        translation=Translation(codec=_OF_CLAUDE),
        telemetry="x_ai",
    ),
    "zai": Provider(wire=Wire.OPENAI, base_url="https://api.z.ai/api/paas/v4", translation=_SWITCHED),
}

_AWS: Final = "it needs an AWS identity"
_GOOGLE: Final = "it needs a Google Cloud identity"
_PERSON: Final = "it needs a person to sign in"
_MORE: Final = "it needs more settings than a key and a base URL"
_ELSEWHERE: Final = "LiteLLM sends its key to addresses other than the credential's base URL"
_NO_MODEL: Final = "it is not a provider of chat or embedding models"
_USE_OPENAI: Final = "use `openai/`, with a base URL for a server of your own"

UNSUPPORTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(_names("aws_polly aws_textract bedrock_mantle transcribe"), _AWS),
    **dict.fromkeys(_names("s3_vectors sagemaker sagemaker_chat sagemaker_nova strands_decider"), _AWS),
    "gdc": _GOOGLE,
    **dict.fromkeys(_names("chatgpt github_copilot"), _PERSON),
    **dict.fromkeys(_names("clarifai dotprompt gradient_ai oci predibase ragflow sap triton watsonx"), _MORE),
    **dict.fromkeys(_names("bytez gigachat huggingface nlp_cloud petals replicate watsonx_text"), _ELSEWHERE),
    **dict.fromkeys(_names("a2a a2a_agent auto_router azure_speech black_forest_labs cursor deepgram"), _NO_MODEL),
    **dict.fromkeys(_names("elevenlabs fal_ai humanloop langflow langfuse langgraph litellm_agent"), _NO_MODEL),
    **dict.fromkeys(_names("manus milvus mongodb nvidia_riva pg_vector recraft reducto runwayml soniox"), _NO_MODEL),
    **dict.fromkeys(_names("stability topaz typesafe valkey"), _NO_MODEL),
    **dict.fromkeys(_names("aiohttp_openai custom custom_openai lemonade oobabooga openai_like"), _USE_OPENAI),
    **dict.fromkeys(_names("text-completion-openai vllm"), _USE_OPENAI),
    "ai21": "use `ai21_chat/`",
    "vertex_ai_beta": "use `vertex_ai/`",
    "anthropic_text": "use `anthropic/`",
    "text-completion-codestral": "use `codestral/`",
    "text-completion-inception": "use `inception/`",
}
"""Providers that LiteLLM knows and that cannot be used here, each with the reason or what to use instead."""
