"""Token counts of OpenAI's formats as those of Messages."""

from collections.abc import Mapping

from claude_gateway_proxy.translation.messages.events import Usage


def usage_of(usage: object) -> Usage | None:
    """Return the counts of an answer; None where it has none. ``input_tokens`` excludes what a cache held."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = _count(details, "cached_tokens") if isinstance(details, Mapping) else 0
    cached = cached or _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    sent = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    return Usage(
        input_tokens=max(0, sent - cached - written),
        output_tokens=_count(usage, "completion_tokens") or _count(usage, "output_tokens"),
        cache_creation_input_tokens=written,
        cache_read_input_tokens=cached,
    )


def _count(usage: Mapping[str, object], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value >= 0 else 0
