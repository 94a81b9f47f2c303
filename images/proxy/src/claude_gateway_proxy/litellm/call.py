"""One call of LiteLLM: the public function for the format, with one target's parameters."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.policy import Format
from claude_gateway_proxy.litellm.errors import cannot_count
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.litellm.targets import Target

_COUNTING: Final = "anthropic"
_COMPATIBLE: Final = "hosted_vllm"
_KEYLESS: Final = "none"
"""Sent to a server that needs no key: LiteLLM calls some providers only with one."""


async def call(library: Any, target: Target, *, model: str, format: Format, fields: Json) -> Any:  # noqa: A002
    """LiteLLM's answer: an object, or an asynchronous iterator where ``fields`` ask for a stream.

    Raises whatever LiteLLM raises, and Failure where a provider cannot do it.
    """
    if format is Format.COUNT_TOKENS:
        return await _count(library, target, model=model, fields=fields)
    arguments = {**fields, **_parameters(target, model=model)}
    match format:
        case Format.MESSAGES:
            return await _messages(library, arguments)
        case Format.CHAT:
            return await library.acompletion(**_metered(arguments))
        case Format.COMPLETIONS:
            return await library.atext_completion(**_metered(arguments))
        case Format.RESPONSES:
            # Servers that are merely compatible rarely have the Responses API.
            chat = {"use_chat_completions_api": True} if target.provider == _COMPATIBLE else {}
            return await library.aresponses(**arguments, **chat)
        case Format.EMBEDDINGS:
            return await library.aembedding(**arguments)


def _parameters(target: Target, *, model: str) -> Json:
    parameters: Json = {"model": model, "max_retries": 0, "num_retries": 0, "api_key": target.api_key or _KEYLESS}
    for name in ("api_base", "timeout"):
        value = getattr(target, name)
        if value is not None:
            parameters[name] = value
    return parameters


def _metered(arguments: Json) -> Json:
    """Streams always report their usage to us; whether the client sees it is decided where they are written."""
    if not arguments.get("stream"):
        arguments.pop("stream_options", None)
        return arguments
    return {**arguments, "stream_options": {"include_usage": True}}


async def _messages(library: Any, arguments: Json) -> Any:
    if arguments.get("stream") and _is_native(library, str(arguments["model"])):
        return await adapted_messages(arguments)
    return await library.anthropic_messages(**arguments)


def _is_native(library: Any, model: str) -> bool:
    """Whether LiteLLM speaks Messages to the provider."""
    from litellm.types.utils import LlmProviders
    from litellm.utils import ProviderConfigManager

    name, provider, *_ = library.get_llm_provider(model=model)
    try:
        known = LlmProviders(provider)
    except ValueError:
        return False
    return ProviderConfigManager.get_provider_anthropic_messages_config(model=name, provider=known) is not None


async def adapted_messages(arguments: Json) -> Any:
    """Stream Messages through LiteLLM's Chat adapter.

    Its native stream needs parts of LiteLLM's proxy server, which is not installed. The only Messages provider that
    people have much of, Anthropic, is relayed and never comes here.
    """
    from litellm.llms.anthropic.pass_through.adapters.handler import (
        LiteLLMMessagesToCompletionTransformationHandler as Adapter,
    )

    return await Adapter.async_anthropic_messages_handler(**arguments)


async def _count(library: Any, target: Target, *, model: str, fields: Json) -> Mapping[str, int]:
    if target.provider != _COUNTING:
        raise cannot_count(target.provider)
    found = await library.acount_tokens(
        model=model, api_key=target.api_key or _KEYLESS, api_base=target.api_base, **fields
    )
    if found.error or found.tokenizer_type == "local_tokenizer":
        # LiteLLM estimates where its provider did not answer.
        raise cannot_count(target.provider)
    return {"input_tokens": found.total_tokens}
