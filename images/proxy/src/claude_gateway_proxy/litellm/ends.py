"""How LiteLLM's answers end: with the reason that the provider stated, or not at all.

LiteLLM ends an answer without a reason, or one that failed, with ``stop``, so that half an answer looks complete.
Answers in OpenAI's formats and in Cohere's are read by ``regular`` before LiteLLM reads them.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.ends import reason_of

_STATE_THEIRS: Final = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})
"""Providers, as LiteLLM names them, whose complete streams always have a reason that LiteLLM finds."""

_REASONS: Final = ("done_reason", "completionReason", "stop_reason", "stopReason", "finish_reason", "finishReason")
_PARTS: Final = ("results", "generations", "outputs", "completions", "choices")
"""Where Ollama and Bedrock's models have the reason in a whole answer or in a piece of one, each in its own format."""


def install() -> None:
    """Make an answer fail with Broken if its provider failed, or ended it without a reason; cannot be undone."""
    _no_failure_as_an_end()
    _no_default_at_the_end()
    _no_default_in_geminis_chunks()
    _no_default_in_bedrocks_streams()
    _no_default_in_ollamas_streams()
    _no_default_in_whole_answers()


class _Known(dict[str, str]):
    """LiteLLM's finish reasons, among which those of failures are not found: they raise Broken."""

    def get(self, word: Any, default: Any = None) -> Any:
        """Return OpenAI's word for one."""
        reason = reason_of(word)
        return super().get(word) or reason or default


def _no_failure_as_an_end() -> None:
    """LiteLLM treats failures such as MALFORMED_FUNCTION_CALL, and unknown reasons, as a normal end."""
    from litellm.litellm_core_utils import core_helpers

    core_helpers._FINISH_REASON_MAP = _Known(core_helpers._FINISH_REASON_MAP)  # type: ignore[assignment,misc] # noqa: SLF001 - it has no other place


def _no_default_at_the_end() -> None:
    from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper

    end: Any = CustomStreamWrapper.finish_reason_handler

    def end_stated(wrapper: Any) -> Any:
        stated = wrapper.received_finish_reason or wrapper.intermittent_finish_reason
        if stated is None and wrapper.custom_llm_provider in _STATE_THEIRS:
            raise Broken("the upstream ended its answer before its end")
        return end(wrapper)

    CustomStreamWrapper.finish_reason_handler = end_stated  # type: ignore[method-assign]


def _no_default_in_geminis_chunks() -> None:
    """Keep LiteLLM from ending each chunk of Gemini's that has no reason with one."""
    from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexGeminiConfig

    create: Any = VertexGeminiConfig._create_streaming_choice  # noqa: SLF001 - it has no other place

    def create_stated(*, candidate: Any, **fields: Any) -> Any:
        choice = create(candidate=candidate, **fields)
        if not candidate.get("finishReason"):
            choice.finish_reason = None
        return choice

    VertexGeminiConfig._create_streaming_choice = staticmethod(create_stated)  # type: ignore[assignment] # noqa: SLF001


def _no_default_in_bedrocks_streams() -> None:
    """Read the reasons of Bedrock's models that LiteLLM misses, and miss those that are not there.

    The classes for some models read their pieces in a way of their own; these are left alone.
    """
    from litellm.llms.bedrock.chat.invoke_handler import AWSEventStreamDecoder

    decoder: Any = AWSEventStreamDecoder
    parse, read = decoder._chunk_parser, decoder.aiter_bytes  # noqa: SLF001 - it has no other place

    def parse_stated(self: Any, chunk_data: dict[str, Any]) -> Any:
        found = parse(self, chunk_data)
        reason = _stated(chunk_data)
        self.has_pieces = True
        self.is_ended = getattr(self, "is_ended", False) or reason is not None or _is_finished(found)
        if reason is not None and isinstance(found, dict):
            return {**found, "is_finished": True, "finish_reason": reason}
        return found

    async def read_to_the_end(self: Any, *arguments: Any, **keywords: Any) -> AsyncIterator[Any]:
        async for piece in read(self, *arguments, **keywords):
            yield piece
        if getattr(self, "has_pieces", False) and not self.is_ended:
            raise Broken("the upstream ended its answer before its end")

    decoder._chunk_parser, decoder.aiter_bytes = parse_stated, read_to_the_end  # noqa: SLF001


def _is_finished(found: Any) -> bool:
    return bool(found.get("is_finished")) if isinstance(found, dict) else bool(found.choices[0].finish_reason)


def _no_default_in_ollamas_streams() -> None:
    from litellm.llms.ollama.completion.transformation import OllamaTextCompletionResponseIterator

    iterator: Any = OllamaTextCompletionResponseIterator
    parse = iterator.chunk_parser

    def parse_stated(self: Any, chunk: dict[str, Any]) -> Any:
        found = parse(self, chunk)
        if isinstance(found, dict) and found.get("finish_reason") == "stop":
            return {**found, "finish_reason": _stated(chunk) or "stop"}
        return found

    iterator.chunk_parser = parse_stated


def _no_default_in_whole_answers() -> None:
    from litellm.llms.bedrock.chat.invoke_transformations.base_invoke_transformation import AmazonInvokeConfig
    from litellm.llms.ollama.completion.transformation import OllamaConfig

    for config in (AmazonInvokeConfig, OllamaConfig):
        _state_whole_answers(config)


def _state_whole_answers(config: Any) -> None:
    transform = config.transform_response

    def transform_stated(self: Any, *, raw_response: Any, **fields: Any) -> Any:
        found = transform(self, raw_response=raw_response, **fields)
        reason = _stated(raw_response.json())
        if reason is not None and found.choices[0].finish_reason != "tool_calls":
            found.choices[0].finish_reason = reason
        return found

    config.transform_response = transform_stated


def _stated(document: Any) -> str | None:
    """Return OpenAI's value for the reason in an answer of Bedrock's, or in a piece of one; None if it has none."""
    if not isinstance(document, Mapping):
        return None
    parts = (part[0] for name in _PARTS if isinstance(part := document.get(name), list) and part)
    for place in (document, *(part for part in parts if isinstance(part, Mapping))):
        for name in _REASONS:
            word = place.get(name)
            reason = reason_of(word.get("reason") if isinstance(word, Mapping) else word)
            if reason is not None:
                return reason
    return None
