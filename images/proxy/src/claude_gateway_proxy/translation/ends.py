"""Why an answer ended: servers' reasons, read as one of OpenAI's, or as a failure."""

from typing import Final

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.decoding import whole

_REASONS: Final[dict[str, str]] = {
    **dict.fromkeys(("stop", "end_turn", "eos", "eos_token", "stop_sequence", "complete", "completed"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_length"), "length"),
    **dict.fromkeys(("model_length", "model_context_window_exceeded", "context_length_exceeded"), "length"),
    **dict.fromkeys(("context_length", "context_window_exceeded", "token_limit", "max_new_tokens"), "length"),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"), "tool_calls"),
    **dict.fromkeys(("content_filter", "content_filtered", "refusal", "safety", "sensitive"), "content_filter"),
    **dict.fromkeys(
        ("guardrail_intervened", "recitation", "blocklist", "prohibited_content", "spii"), "content_filter"
    ),
    **dict.fromkeys(("image_safety", "language", "moderation", "policy_violation", "risk_control"), "content_filter"),
}
"""Finish reasons of OpenAI, Anthropic, Google, Mistral, z.ai, Bedrock, TGI and others."""

_FAILED: Final = frozenset(
    (
        *("abort", "aborted", "cancel", "canceled", "cancelled", "interrupted", "terminated", "preempted"),
        *("error", "error_finish", "failed", "failure", "internal_error", "server_error", "unknown_error", "exception"),
        *("network_error", "connection_error", "timeout", "timed_out", "deadline_exceeded", "overloaded"),
        *("insufficient_system_resource", "insufficient_resources", "out_of_memory", "repetition", "rate_limit"),
        *("malformed_function_call", "malformed_tool_call", "malformed_tool_use", "malformed_response"),
        *("malformed_model_output", "unexpected_tool_call", "too_many_tool_calls", "missing_thought_signature"),
        *("no_image", "finish_reason_unspecified", "other"),
    )
)
"""Finish reasons of vLLM, SGLang, DeepSeek, z.ai, Google, Bedrock and others that are not the model's own end."""

_OPEN: Final = frozenset(("null", "none", "not_finished", "in_progress"))
"""The values that servers write while an answer continues."""

_SHOWN: Final = 64
"""Characters of an upstream's reason that a user sees."""


def reason_of(word: object) -> str | None:
    """Return OpenAI's finish reason for a server's; None if the answer continues.

    A word that nobody knows is the end of an answer like any other. Raises Broken where the server itself failed.
    """
    if isinstance(word, dict):
        # SGLang's own format has the kind of the reason beside what it met.
        word = word.get("type")
    if not word or not isinstance(word, str):
        return None
    reason = _REASONS.get(word)
    if reason is not None:
        return reason
    plain = word.strip().lower().replace("-", "_").replace(" ", "_").rpartition(".")[2]
    plain = plain.removeprefix("finish_reason_")
    if plain in _OPEN:
        return None
    if plain in _FAILED:
        raise Broken(f"the upstream broke its answer off: {whole(word[:_SHOWN])}")
    return _REASONS.get(plain, "stop")


def is_reason(word: str) -> bool:
    """Return whether a word is a server's finish reason, rather than a stop sequence that it met."""
    return word in _REASONS or word in _FAILED
