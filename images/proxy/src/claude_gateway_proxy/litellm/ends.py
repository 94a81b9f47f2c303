"""How LiteLLM's streams end: with the reason that the provider stated, or not at all.

LiteLLM ends a stream without a reason with ``stop``, so that half an answer looks like a whole one. Streams in OpenAI's
formats are read by ``regular`` before LiteLLM reads them.
"""

from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import Broken

_STATE_THEIRS: Final = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})
"""Providers, as LiteLLM names them, whose complete streams always have a reason that LiteLLM finds.

It misses the one of Cohere, and those of Bedrock's older models.
"""


def install() -> None:
    """Make a stream fail with Broken if it ends without its provider's reason; cannot be undone."""
    _no_default_at_the_end()
    _no_default_in_geminis_chunks()


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
