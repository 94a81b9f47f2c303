"""Content blocks of plain Messages, read for a translation: media as URLs, results of tools in parts."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.codec.names import Names, tool_names

Json = dict[str, Any]

PDF: Final = "application/pdf"


def blocks(content: Any) -> list[Json]:
    """The blocks of a content value; a text alone is one block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def messages_of(request: Mapping[str, Any]) -> list[tuple[str, list[Json]]]:
    """Roles and blocks of a request's messages."""
    found = request.get("messages")
    turns = found if isinstance(found, list) else []
    return [(str(turn.get("role")), blocks(turn.get("content"))) for turn in turns if isinstance(turn, dict)]


def text_of(block: Mapping[str, Any]) -> str:
    """The text of a text block."""
    text = block.get("text")
    return text if isinstance(text, str) else ""


def source_url(block: Mapping[str, Any]) -> str | None:
    """An image or a document as a URL, of its data if it has any."""
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = source.get("url")
    return url if isinstance(url, str) else None


def document_text(block: Mapping[str, Any]) -> str | None:
    """The text of a document that has its content in plain text; None for the others."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
        return None
    inner = source.get("data") if source["type"] == "text" else source.get("content")
    text = "\n".join(filter(None, map(text_of, blocks(inner))))
    title = block.get("title")
    return f"{title}\n{text}" if isinstance(title, str) and title else text


def arguments_of(block: Mapping[str, Any]) -> str:
    """The input of a tool call as JSON text."""
    return json.dumps(block.get("input") or {}, ensure_ascii=False, separators=(",", ":"))


def tools_of(request: Mapping[str, Any]) -> list[Json]:
    """The tools of a request."""
    found = request.get("tools")
    return [tool for tool in found if isinstance(tool, dict)] if isinstance(found, list) else []


def names_in(request: Mapping[str, Any]) -> Names:
    """The names of all tools that a request offers, has called or wants to be called."""
    choice = request.get("tool_choice")
    wanted = choice.get("name") if isinstance(choice, dict) else None
    names: Iterable[Any] = (
        *(tool.get("name") for tool in tools_of(request)),
        *(block.get("name") for block in _calls(request)),
        wanted,
    )
    return tool_names(name for name in names if isinstance(name, str) and name)


def call_ids(request: Mapping[str, Any]) -> frozenset[str]:
    """The ids of all calls in a conversation."""
    return frozenset(str(block.get("id")) for block in _calls(request))


def _calls(request: Mapping[str, Any]) -> Iterator[Json]:
    return (block for _, turn in messages_of(request) for block in turn if block.get("type") == "tool_use")
