"""The conversation of a request, as Claude Code replays it: turns that alternate, with nothing that it would change.

Claude Code marks what is to be cached by itself, knows no system messages, joins turns of the same role in its own way,
and repairs calls without results: each is settled here, so that the model sees the conversation as it was sent.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from claude_gateway_claude_code import failures

Json = dict[str, Any]

_BLOCKS: Final = {
    "user": frozenset({"text", "image", "document", "tool_result", "search_result"}),
    "assistant": frozenset(
        {
            *("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result"),
            *("web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result"),
            *("text_editor_code_execution_tool_result", "tool_search_tool_result"),
        }
    ),
}
_REMINDER: Final = "<system-reminder>\n{}\n</system-reminder>"
"""How Claude Code itself writes system messages for models that know none."""
_PICTURES: Final = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
"""How PNG, JPEG, GIF and WebP begin in base64. Claude Code would replace anything else by a sentence about it."""
_ATTRIBUTION: Final = "x-anthropic-billing-header:"
"""The first words of the block in which a Claude Code client names itself; the process sends what is its own."""


def system_text(system: Any) -> str:
    """Return the system prompt as one text. Raises Failure (400)."""
    if system is None:
        return ""
    if isinstance(system, str):
        return system
    if not isinstance(system, list):
        raise failures.invalid("system", "must be a text or a list of text blocks")
    texts = [_text(block, f"system.{index}") for index, block in enumerate(system)]
    return "\n\n".join(text for text in texts if text and not text.startswith(_ATTRIBUTION))


def conversation(messages: Any) -> tuple[Json, ...]:
    """Return the turns, the last one the user's. Raises Failure (400) for what cannot be replayed."""
    if not isinstance(messages, list) or not messages:
        raise failures.invalid("messages", "must be a list with at least one message")
    turns: list[Json] = []
    for index, message in enumerate(messages):
        role, blocks = _message(message, f"messages.{index}")
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        raise failures.invalid("messages.0.role", "the first message must be the user's")
    if turns[-1]["role"] != "user":
        last = len(messages) - 1
        raise failures.invalid(f"messages.{last}.role", "the last message must be the user's: no answer can be begun")
    for turn in turns:
        # Results come first, as Anthropic requires; a system message may have stood before them.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    _check_calls(turns)
    _check_said(turns)
    return tuple(turns)


def references(messages: Iterable[Any]) -> frozenset[str]:
    """Return the names of the tools that tool searches of the client found."""
    return frozenset(
        str(part.get("tool_name"))
        for message in messages
        if isinstance(message, dict)
        for block in _objects(message.get("content"))
        for part in _objects(block.get("content"))
        if part.get("type") == "tool_reference"
    )


def without_marks(value: Json) -> Json:
    """Return an object without its mark for the cache."""
    return {key: part for key, part in value.items() if key != "cache_control"}


def _objects(value: Any) -> list[Json]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _message(message: Any, at: str) -> tuple[str, list[Json]]:
    if not isinstance(message, dict):
        raise failures.invalid(at, "must be an object")
    role, content = message.get("role"), message.get("content")
    if role == "system":
        text = system_text(content)
        return "user", [{"type": "text", "text": _REMINDER.format(text)}] if text.strip() else []
    if role not in _BLOCKS:
        raise failures.invalid(f"{at}.role", "must be user, assistant or system")
    if isinstance(content, str):
        return role, [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise failures.invalid(f"{at}.content", "must be a text or a list of blocks")
    blocks = [_block(block, role, f"{at}.content.{index}") for index, block in enumerate(content)]
    return role, [block for block in blocks if block["type"] != "text" or block["text"]]


def _block(block: Any, role: str, at: str) -> Json:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind not in _BLOCKS[role]:
        raise failures.invalid(f"{at}.type", f"a message of the {role} cannot have this block")
    if kind == "text":
        _text(block, at)
    if kind == "image":
        _check_picture(block.get("source"), at)
    if kind == "tool_result" and isinstance(block.get("content"), list):
        block = {**block, "content": [_part(part, f"{at}.content") for part in block["content"]]}
    return without_marks(block)


def _part(part: Any, at: str) -> Json:
    if not isinstance(part, dict):
        raise failures.invalid(at, "must be a list of blocks")
    if part.get("type") == "tool_reference":
        return {"type": "text", "text": f"The tool {part.get('tool_name')} can be called now."}
    return without_marks(part)


def _check_picture(source: Any, at: str) -> None:
    here = isinstance(source, dict) and source.get("type") == "base64"
    if here and not str(source.get("data")).startswith(_PICTURES):
        raise failures.invalid(f"{at}.source.data", "must be a PNG, JPEG, GIF or WebP image in base64")


def _text(block: Any, at: str) -> str:
    if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
        raise failures.invalid(at, "must be a text block")
    return str(block["text"])


def _check_calls(turns: Sequence[Json]) -> None:
    """Reject calls without results and results without calls, as Anthropic does; Claude Code would invent them."""
    called: set[str] = set()
    for turn in turns:
        if turn["role"] == "user":
            answered = {str(block.get("tool_use_id")) for block in turn["content"] if block["type"] == "tool_result"}
            if answered - called:
                raise failures.invalid("messages", f"no tool_use precedes the tool_result of {min(answered - called)}")
            if called - answered:
                raise failures.invalid("messages", f"no tool_result follows the tool_use {min(called - answered)}")
        called = {str(block.get("id")) for block in turn["content"] if block["type"] == "tool_use"}


def _check_said(turns: Sequence[Json]) -> None:
    """Reject turns of nothing but white space, as Anthropic does; Claude Code would answer them by itself."""
    for turn in turns:
        if all(block["type"] == "text" and not block["text"].strip() for block in turn["content"]):
            raise failures.invalid("messages", "each message must say something besides white space")
