"""Items of LiteLLM's responses as OpenAI writes them, which clients' schemas require.

LiteLLM writes reasoning as the text of a message without its summary, leaves out the event that begins a summary, and
names a custom tool of a group without the group.
"""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.documents import Document

_BEGINS: Final = "response.reasoning_summary_part.added"
_CONTINUES: Final = "response.reasoning_summary_text.delta"
_TEXT: Final = "output_text"
_PLACE: Final[tuple[str, ...]] = ("item_id", "output_index", "summary_index")


def groups_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the group of each custom tool that a checked request has in one."""
    groups = (tool for tool in fields.get("tools") or () if tool.get("type") == "namespace")
    return {
        str(tool.get("name")): str(group.get("name"))
        for group in groups
        for tool in group.get("tools") or ()
        if tool.get("type") == "custom"
    }


def regular(item: Document, groups: Mapping[str, str]) -> Document:
    """Return an item as OpenAI writes it; ``groups`` are those of the request's custom tools."""
    kind = item.get("type")
    if kind == "reasoning":
        return _reasoning(item)
    group = groups.get(str(item.get("name"))) if kind == "custom_tool_call" else None
    return item if group is None else {**item, "namespace": group}


def _reasoning(item: Document) -> Document:
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if part.get("type") == _TEXT and part.get("text")]
    kept = [part for part in parts if part.get("type") != _TEXT]
    summary = item.get("summary") or [{"type": "summary_text", "text": text} for text in texts]
    found = {name: value for name, value in item.items() if name not in ("role", "content")}
    return {**found, "summary": summary, **({"content": kept} if kept else {})}


class Summaries:
    """The summaries of one stream that have begun."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self._begun: set[tuple[object, object]] = set()

    def beginning(self, kind: str, data: Document) -> Document | None:
        """Return the event that must come before an event, if LiteLLM left it out."""
        if kind not in (_BEGINS, _CONTINUES):
            return None
        key = (data.get("item_id"), data.get("summary_index"))
        if key in self._begun:
            return None
        self._begun.add(key)
        if kind == _BEGINS:
            return None
        place: Document = {name: data[name] for name in _PLACE if name in data}
        return {"type": _BEGINS, **place, "part": {"type": "summary_text", "text": ""}}
