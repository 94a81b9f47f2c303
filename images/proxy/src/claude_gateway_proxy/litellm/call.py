"""One call of LiteLLM: the public function for the format, with one target's parameters."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.contract.target import Format
from claude_gateway.names import HEADER_LOGIN
from claude_gateway_proxy.litellm import identity, messages, openai_fields
from claude_gateway_proxy.litellm.errors import bad_request, cannot_count
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.messages.options import RequestOptions
from claude_gateway_proxy.translation.messages.reading import Unsupported

_KEYLESS: Final = "none"
"""Sent to a server that needs no key: LiteLLM calls some providers only with one."""


def translated(
    fields: Document, *, format: Format, options: RequestOptions | None, target: Target
) -> tuple[Format, Document]:
    """Return a request in the format that LiteLLM gets for the target, and that format.

    ``options`` are those of a request of Messages, or of a count of them; None for OpenAI's formats. Raises Failure
    (400) for content that the target's format cannot express.
    """
    if options is not None and format is not Format.COUNT_TOKENS:
        format = messages.pivot(target)
        try:
            fields = messages.request(fields, names=options.names, target=target)
        except Unsupported as error:
            raise bad_request(str(error)) from None
    elif options is None:
        fields = openai_fields.fitted(fields, format=format, target=target)
    return format, _metered(fields) if format in (Format.CHAT, Format.COMPLETIONS) else fields


async def call(
    library: Any,
    target: Target,
    *,
    model: str,
    format: Format,
    fields: Document,
    options: RequestOptions | None,
) -> Any:
    """Return LiteLLM's answer to a translated request: an object, or an asynchronous iterator of a stream.

    Raises whatever LiteLLM raises, and Failure if a provider does not support it.
    """
    if format is Format.COUNT_TOKENS and options is not None:
        return await _count(library, target, model=model, fields=fields, options=options)
    arguments = {**fields, **await _parameters(target, model=model)}
    match format:
        case Format.CHAT:
            if options is None:
                # If a target supports Chat Completions, the gateway relays them.
                arguments["model"] = messages.responses_model(target, model)
            return await library.acompletion(**arguments)
        case Format.COMPLETIONS:
            return await library.atext_completion(**arguments)
        case Format.RESPONSES:
            chat = (
                {"use_chat_completions_api": True} if target.translation.responses_as_chat and options is None else {}
            )
            return await library.aresponses(**arguments, **chat)
        case Format.EMBEDDINGS:
            # Not every provider supports base64, and LiteLLM drops the field for those that do not; all support
            # numbers.
            arguments.pop("encoding_format", None)
            return await library.aembedding(**arguments)


async def _parameters(target: Target, *, model: str) -> Document:
    parameters: Document = {"model": model, "max_retries": 0, "num_retries": 0}
    if target.cloud is None:
        parameters["api_key"] = target.api_key or _KEYLESS
    else:
        parameters |= await identity.parameters(target.cloud, bearer=target.api_key)
    if target.login is not None:
        parameters["extra_headers"] = {HEADER_LOGIN: target.login}
    for name in ("api_base", "timeout"):
        value = getattr(target, name)
        if value is not None:
            parameters[name] = value
    return parameters


def _metered(fields: Document) -> Document:
    """Streams always report their usage to us; whether the client sees it is decided where they are written."""
    if not fields.get("stream"):
        return {name: value for name, value in fields.items() if name != "stream_options"}
    return {**fields, "stream_options": {"include_usage": True}}


async def _count(
    library: Any, target: Target, *, model: str, fields: Document, options: RequestOptions
) -> Mapping[str, int]:
    """Return the provider's own count of the translated request; LiteLLM estimates if its provider did not answer."""
    counting = target.translation.counting
    if counting is None:
        raise cannot_count(target.provider)
    if counting.format is Format.CHAT:
        chat = messages.chat(fields, names=options.names, target=target)
        fields = {name: chat[name] for name in ("messages", "tools") if name in chat}
    api_base = target.api_base
    if counting.own_path is not None and api_base is not None:
        api_base = api_base.rstrip("/").removesuffix(counting.own_path)
    found = await library.acount_tokens(model=model, api_key=target.api_key or _KEYLESS, api_base=api_base, **fields)
    if found.error or found.tokenizer_type == "local_tokenizer":
        raise cannot_count(target.provider)
    return {"input_tokens": found.total_tokens}
