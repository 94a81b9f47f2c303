"""Token counts of servers' answers as those of Messages."""

from collections.abc import Mapping
from typing import Final

from claude_gateway_proxy.translation.messages.events import Usage

_SENT: Final = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_n", "prompt_eval_count")
_WRITTEN: Final = ("completion_tokens", "output_tokens", "candidatesTokenCount", "predicted_n", "eval_count")
_COUNTED: Final = frozenset((*_SENT, *_WRITTEN))
_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details")
_CACHED: Final = (
    *("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_prompt_tokens"),
    *("cachedContentTokenCount", "cache_read_tokens"),
)
_CACHE_WRITTEN: Final = ("cache_creation_input_tokens", "cache_write_tokens", "cache_creation_tokens")
_MOST: Final = 2**53
"""JSON's numbers are exact up to here."""


def usage_of(usage: object) -> Usage | None:
    """Return the counts of an answer; None if it has none. ``input_tokens`` excludes cached tokens."""
    if not isinstance(usage, dict) or _COUNTED.isdisjoint(usage):
        return None
    details = next((found for key in _DETAILS if isinstance(found := usage.get(key), dict)), {})
    cached = _first(details, _CACHED) or _first(usage, _CACHED)
    # llama.cpp's timings count cached tokens separately from the prompt.
    beside = _count(usage, "cache_n")
    written = _first(usage, _CACHE_WRITTEN) or _first(details, _CACHE_WRITTEN)
    return Usage(
        input_tokens=max(0, _first(usage, _SENT) - cached - written),
        output_tokens=_first(usage, _WRITTEN) + _count(usage, "thoughtsTokenCount"),
        cache_creation_input_tokens=written,
        cache_read_input_tokens=cached + beside,
    )


def _first(usage: Mapping[str, object], keys: tuple[str, ...]) -> int:
    for key in keys:
        count = _count(usage, key)
        if count:
            return count
    return 0


def _count(usage: Mapping[str, object], key: str) -> int:
    value = usage.get(key)
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _MOST else 0
