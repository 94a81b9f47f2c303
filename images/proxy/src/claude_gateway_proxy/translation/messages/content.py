"""Content blocks of the dialect, reduced to those that every implementation knows, or put in words."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from claude_gateway_proxy.translation.messages.shapes import Document
from claude_gateway_proxy.translation.thinking import is_ours

_FAILED: Final = "The tool call failed:"


def content(value: object) -> list[Document]:
    """The blocks of a message that mean something to any model; a text alone is one block."""
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list):
        return []
    return [plain for block in value if isinstance(block, dict) for plain in _plain(block)]


def text_of(block: object) -> str:
    """The text of a text block, else nothing."""
    if not isinstance(block, dict) or block.get("type") != "text":
        return ""
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _plain(block: Document) -> list[Document]:
    """What a block becomes."""
    turn = _TURNS.get(str(block.get("type")))
    return [] if turn is None else turn(block)


def _thinking(block: Document) -> list[Document]:
    """Thinking stays if this gateway signed it: any other signature is for the model that wrote it alone."""
    if not is_ours(block.get("signature")):
        return []
    return [{"type": "thinking", "thinking": "", "signature": block["signature"]}]


def _text(text: object) -> list[Document]:
    return [{"type": "text", "text": text}] if isinstance(text, str) and text else []


def _medium(block: Document) -> list[Document]:
    return [{key: block[key] for key in ("type", "source", "title", "context") if block.get(key) is not None}]


def _call(block: Document) -> list[Document]:
    return [{key: block.get(key) for key in ("type", "id", "name", "input")}]


def _result(block: Document) -> list[Document]:
    """Return a tool's result. A failure becomes text, because OpenAI's formats have no field for it."""
    parts = content(block.get("content"))
    result: dict[str, object] = {"type": "tool_result", "tool_use_id": block.get("tool_use_id")}
    if block.get("is_error") is True:
        parts = [*_text(_FAILED), *parts]
    texts = [text_of(part) for part in parts]
    result["content"] = "\n".join(texts) if all(texts) else parts
    return [result]


def _reference(block: Document) -> list[Document]:
    return _text(f"The tool {block.get('tool_name')} is available now.")


def _search_result(block: Document) -> list[Document]:
    found = "\n".join(text_of(part) for part in content(block.get("content")))
    return _text(f"{block.get('title')} ({block.get('source')})\n{found}")


def _server_call(block: Document) -> list[Document]:
    return _text(f"[{block.get('name')}: {json.dumps(block.get('input'), ensure_ascii=False)}]")


def _server_result(block: Document) -> list[Document]:
    """What a tool of Anthropic's own servers found, as far as it is in plain words."""
    found = block.get("content")
    entries = found if isinstance(found, list) else [found]
    lines = [_line(entry) for entry in entries if isinstance(entry, dict)]
    return _text("\n".join(line for line in lines if line))


def _line(entry: Document) -> str:
    if "url" in entry:
        return f"{entry.get('title', '')} {entry['url']}".strip()
    words = [entry.get(key) for key in ("text", "stdout", "stderr", "error_code")]
    return "\n".join(word for word in words if isinstance(word, str) and word)


_TURNS: Final[Mapping[str, Callable[[Document], list[Document]]]] = {
    "thinking": _thinking,
    "text": lambda block: _text(block.get("text")),
    "image": _medium,
    "document": _medium,
    "tool_use": _call,
    "tool_result": _result,
    "tool_reference": _reference,
    "search_result": _search_result,
    "compaction": lambda block: _text(block.get("content")),
    "server_tool_use": _server_call,
    "mcp_tool_use": _server_call,
    "mcp_tool_result": _server_result,
    "web_search_tool_result": _server_result,
    "web_fetch_tool_result": _server_result,
    "code_execution_tool_result": _server_result,
    "bash_code_execution_tool_result": _server_result,
    "text_editor_code_execution_tool_result": _server_result,
}
