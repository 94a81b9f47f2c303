"""The purpose of a request of Claude Code that does not report it: detected only if it is certain.

Claude Code reports it with ``CLAUDE_CODE_GATEWAY_HINT_HEADERS=1``. Without it, main requests, side replies and
workflows look the same, and have no purpose here. Measured with 2.1.147 and 2.1.330.
"""

from collections.abc import Sequence
from typing import Any, Final

from claude_gateway.contract.route import RequestClass

_COMPACTION: Final = "CRITICAL: Respond with TEXT ONLY"
_SUMMARY: Final = "Your task is to create a detailed summary of"
"""Begins and is in the prompt that asks for the summary of a conversation, whole or recent."""

SUMMARY: Final = _SUMMARY.encode()


def is_compaction(messages: object) -> bool:
    """Return whether the last message asks for a summary, in Claude Code's words."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return False
    text = _last_text(last.get("content"))
    return text.startswith(_COMPACTION) and _SUMMARY in text


def is_auxiliary(*, tools: Sequence[dict[str, Any]], server_tools: int, output: object) -> bool:
    """Return whether a request asks for a title, or for a web search.

    A title is an answer in a JSON schema without any tool, and a search has no tool but those of the upstream; every
    request of a conversation has tools that Claude Code runs.
    """
    if tools:
        return server_tools == len(tools)
    return isinstance(output, dict) and isinstance(output.get("format"), dict)


def said(value: str) -> RequestClass | None:
    """Return the class in a header; None if it is not known."""
    return _SAID.get(value.lower())


_SAID: Final = {
    "main": RequestClass.MAIN,
    "subagent": RequestClass.SUBAGENT,
    "workflow": RequestClass.WORKFLOW,
    "compaction": RequestClass.COMPACTION,
    "auxiliary": RequestClass.AUXILIARY,
    "side_reply": RequestClass.SIDE_REPLY,
}


def _last_text(content: object) -> str:
    """Return the text of a message, or the last text block of a message in blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]
    return texts[-1] if texts else ""
