"""Names and addresses of upstreams as other gateways write them, in the words of our providers."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.provider import PROVIDERS, UNSUPPORTED

SERVER: Final = "hosted_vllm"
"""The provider of the user's own server with Chat Completions."""

_ENDPOINTS: Final = (
    "/v1/messages/count_tokens",
    "/v1/messages",
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
)
_AZURE: Final = (".openai.azure.com", ".cognitiveservices.azure.com")
_BY_HOST: Final[Mapping[str, str]] = {
    **{urlsplit(row.base_url).netloc: name for name, row in PROVIDERS.items() if row.base_url},
    "api.openai.com": "openai",
    "dashscope.aliyuncs.com": "dashscope",
    "generativelanguage.googleapis.com": "gemini",
    "ark.cn-beijing.volces.com": "volcengine",
}
_BEGINNINGS: Final = (
    ("claude-", "anthropic"),
    (("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "codex-", "ft:gpt-"), "openai"),
    (("anthropic.", "us.anthropic.", "eu.anthropic.", "apac.anthropic.", "global.anthropic."), "bedrock"),
    ("gemini-", "vertex_ai"),
    ("command-", "cohere_chat"),
)
_NO_CHAT: Final = ("dall-e", "gpt-image", "imagen", "whisper", "tts-", "rerank", "stable-diffusion")
_VARIABLES: Final[Mapping[str, str]] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "hosted_vllm": "HOSTED_VLLM_API_KEY",
}
"""Variables that LiteLLM reads where a deployment has no key, where they are not ``<PROVIDER>_API_KEY``."""


def of_host(address: str) -> str | None:
    """Return the provider whose own address this is; None for any other server."""
    host = urlsplit(address).netloc.lower()
    return "azure" if host.endswith(_AZURE) else _BY_HOST.get(host)


def of_bare_model(model: str) -> str | None:
    """Return the provider that LiteLLM takes for a model name without one."""
    lower = model.lower()
    return next((provider for beginning, provider in _BEGINNINGS if lower.startswith(beginning)), None)


def needs_no_key(address: str) -> bool:
    """Return whether a server may need no key: any but a vendor's own."""
    return of_host(address) is None


def is_no_chat(model: str) -> bool:
    """Return whether a model, named without its provider, only makes images or sounds, or orders documents."""
    return model.lower().startswith(_NO_CHAT)


def refusal(provider: str) -> tuple[str, str] | None:
    """Return why a provider cannot be used and what to do, else None."""
    if provider in PROVIDERS:
        return None
    if provider in UNSUPPORTED:
        return f"provider `{provider}` is not supported: {UNSUPPORTED[provider]}", "See the reference of providers."
    return (
        f"`{provider}` is not a provider that LiteLLM knows",
        "Write the model as `provider/model`, or `hosted_vllm/model` with the address of your own server.",
    )


def key_variable(provider: str) -> str:
    """Return the variable in which a provider's key usually is."""
    return _VARIABLES.get(provider) or f"{provider.upper().replace('-', '_')}_API_KEY"


def base_url(provider: str, address: str) -> str | None:
    """Return an address without the endpoint at its end; None if it is the provider's own address.

    An ``anthropic`` address loses its ``/v1`` too, as for Anthropic's SDK, and one of Azure the path of a deployment.
    """
    bare = address.split("?", 1)[0].rstrip("/")
    bare = next((bare.removesuffix(ending) for ending in _ENDPOINTS if bare.endswith(ending)), bare)
    if provider == "azure":
        # LiteLLM adds the path of the deployment, which is the model's name.
        parts = urlsplit(bare)
        bare = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/openai')[0]}"
    if provider == "anthropic":
        bare = bare.removesuffix("/v1")
    own = PROVIDERS[provider].base_url if provider in PROVIDERS else None
    is_own = own is not None and _same(bare, own)
    return None if is_own or (provider == "gemini" and of_host(bare) == "gemini") else bare


def _same(left: str, right: str) -> bool:
    return left.rstrip("/").removesuffix("/v1").lower() == right.rstrip("/").removesuffix("/v1").lower()
