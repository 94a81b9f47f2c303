"""Summaries of conversations in the encrypted content of compaction items."""

from typing import Final

import msgspec

from claude_gateway_proxy.translation.packing import packed, unpacked

_MARK: Final = "cgwc1."
"""The beginning of encrypted content with a summary. Conversations hold it, so it must not change."""

_SUMMARY: Final = "Summary of the conversation so far:"


def sealed_summary(text: str) -> str:
    """Return a summary as encrypted content."""
    return _MARK + packed(msgspec.json.encode(text))


def opened_summary(content: object) -> str | None:
    """Return the summary in encrypted content, as a text for a model; None if it is not ours, or damaged."""
    if not isinstance(content, str) or not content.startswith(_MARK):
        return None
    raw = unpacked(content[len(_MARK) :])
    try:
        return None if raw is None else f"{_SUMMARY}\n{msgspec.json.decode(raw, type=str)}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
