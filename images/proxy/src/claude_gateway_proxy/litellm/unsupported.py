"""Fields that a provider does not support: LiteLLM drops them, and the caller would not notice."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.errors import bad_request

_SILENT: Final[Mapping[str, tuple[object, ...]]] = {
    "n": (1,),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "audio": (),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "web_search_options": (),
    "functions": ([],),
}
"""Fields that change the form of an answer, and their neutral values. Other fields only influence a model's wording,
and clients send them with every request."""


_STRICT_LOST: Final = frozenset(
    [
        "anthropic",
        "cohere",
        "cohere_chat",
        "gemini",
        "hosted_vllm",
        "perplexity",
        "replicate",
        "vertex_ai",
        "vertex_ai_beta",
        "watsonx",
        "xai",
    ]
)
"""Providers for which LiteLLM drops the ``strict`` of a tool."""


def check_strict(fields: Mapping[str, Any], *, format: Format, provider: str, model: str) -> None:
    """Check that calls of strict tools are held to their schemas. Raises Failure (400) that names the first other one.

    A caller that requests it does not check the arguments of a call.
    """
    tools = () if format is Format.COUNT_TOKENS else fields.get("tools", ())
    for number, tool in enumerate(tools):
        function = tool.get("function", tool)
        if isinstance(function, Mapping) and function.get("strict") is True and _loses(provider, model):
            raise bad_request(f"tools.{number}.strict: is not supported for this model, send strict: false")


def _loses(provider: str, model: str) -> bool:
    if provider != "bedrock":
        return provider in _STRICT_LOST
    from litellm.llms.bedrock.common_utils import bedrock_converse_supports_strict_tools

    return not bedrock_converse_supports_strict_tools(model.partition("/")[2])


def check_fields(library: Any, fields: Mapping[str, Any], *, format: Format, provider: str, model: str) -> None:
    """Check that LiteLLM passes on what changes an answer. Raises Failure (400) that names the first other field."""
    asked = [name for name, silent in _SILENT.items() if name in fields and fields[name] not in silent]
    if not asked or format not in (Format.CHAT, Format.COMPLETIONS):
        return
    known = library.get_supported_openai_params(model=model.partition("/")[2], custom_llm_provider=provider)
    missing = next((name for name in asked if known is not None and name not in known), None)
    if missing is not None:
        raise bad_request(f"{missing}: is not supported for this model")
