"""What we know of the providers: which wire they speak, where they are, and which may not hold a key of ours.

Measured with the real LiteLLM by ``tests/contract/litellm/test_providers.py``: every provider in here sends the key
to the base URL that it is given and nowhere else, and the two tables together with those of ``clouds`` are exactly the
providers that LiteLLM knows.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract.openai import is_for_responses_only, is_openais_own
from claude_gateway.contract.policy import Format, Wire

_OPENAI_COMPATIBLE: Final = (Format.CHAT, Format.COMPLETIONS, Format.EMBEDDINGS)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    ``base_url`` is the address used where a credential names none (None: LiteLLM's own). It is set where a relay
    needs it, and where LiteLLM would otherwise derive an address from the model's name, which a route author writes.
    """

    wire: Wire | None = None
    formats: tuple[Format, ...] = ()
    base_url: str | None = None
    needs_base_url: bool = False


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_COMPATIBLE_SERVER: Final = Provider(wire=Wire.OPENAI, formats=_OPENAI_COMPATIBLE, needs_base_url=True)
_OWN_ADDRESS: Final = Provider()
_NO_ADDRESS: Final = Provider(needs_base_url=True)

_TRANSLATED: Final = _names(
    "abliteration ai21_chat aihubmix aiml amazon_nova apertis assemblyai cerebras charity_engine chutes codestral "
    "cognition cohere cohere_chat cometapi compactifai cortecs crusoe darkbloom dashscope datarobot deepinfra deepseek "
    "edenai empiriolabs empower featherless_ai fireworks_ai friendliai galadriel gemini github gmi groq helicone "
    "hyperbolic inception jina_ai lambda_ai libertai llamagate maritalk meta meta_llama minimax mistral modelscope "
    "moonshot morph nadir nano-gpt nebius neosantara novita nscale nvidia_nim ovhcloud parasail perplexity pinstripes "
    "poe prism publicai qwen_ai_platform qwencloud reka sail sambanova sarvam scaleway scx-ai synthetic tencent "
    "tensormesh together_ai v0 veniceai vercel_ai_gateway volcengine voyage wandb xai xiaomi_mimo zai"
)

_TRANSLATED_SERVERS: Final = _names(
    "azure azure_ai azure_text cloudflare databricks docker_model_runner heroku infinity ollama ollama_chat snowflake "
    "xinference"
)

PROVIDERS: Final[Mapping[str, Provider]] = {
    **dict.fromkeys(_TRANSLATED, _OWN_ADDRESS),
    **dict.fromkeys(_TRANSLATED_SERVERS, _NO_ADDRESS),
    # LiteLLM would send the key to <model>.api.baseten.co, which is anybody's who has that model.
    "baseten": Provider(base_url="https://inference.baseten.co/v1"),
    "anthropic": Provider(
        wire=Wire.ANTHROPIC, formats=(Format.MESSAGES, Format.COUNT_TOKENS), base_url="https://api.anthropic.com"
    ),
    "openai": Provider(
        wire=Wire.OPENAI, formats=(*_OPENAI_COMPATIBLE, Format.RESPONSES), base_url="https://api.openai.com/v1"
    ),
    "openrouter": Provider(
        wire=Wire.OPENAI, formats=(Format.CHAT, Format.COMPLETIONS), base_url="https://openrouter.ai/api/v1"
    ),
    "hosted_vllm": _COMPATIBLE_SERVER,
    "litellm_proxy": _COMPATIBLE_SERVER,
    "llamafile": _COMPATIBLE_SERVER,
    "lm_studio": _COMPATIBLE_SERVER,
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


def nearest(provider: str) -> str | None:
    """The supported provider whose name is most like an unknown one, if any is."""
    return next(iter(difflib.get_close_matches(provider, sorted(PROVIDERS), n=1)), None)


def relay_formats(provider: str, model: str, base_url: str | None) -> tuple[Format, ...]:
    """Formats that a target of this provider and model at this address takes as they are."""
    known = PROVIDERS[provider]
    if provider != "openai" or base_url is None:
        return known.formats
    if not is_openais_own(base_url):
        return _OPENAI_COMPATIBLE
    return (Format.RESPONSES,) if is_for_responses_only(model) else known.formats


def litellm_name(provider: str, base_url: str | None, formats: tuple[Format, ...]) -> str:
    """The provider's name in ``litellm.yaml``.

    LiteLLM would send Messages for ``openai/`` to the Responses API, hence ``hosted_vllm/`` for other servers but for
    those that have nothing else.
    """
    elsewhere = provider == "openai" and base_url is not None and not is_openais_own(base_url)
    return "hosted_vllm" if elsewhere and formats != (Format.RESPONSES,) else provider
