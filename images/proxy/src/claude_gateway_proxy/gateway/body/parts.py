"""What a model reads of a request, in any format: its texts, and the most tokens of its pictures and documents.

Only the structure is read here; ``estimate`` says how many tokens a text has.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

PICTURE: Final = 1600
"""The most tokens of a picture; larger ones are scaled down."""

PAGE: Final = 3000
"""The most tokens of a PDF page, as text and as picture."""

_PAGE_BYTES: Final = 4096
"""The smallest size of a page, for a PDF whose pages cannot be counted."""

_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page\b")
_DEFINITIONS: Final = ("tools", "tool_choice", "output_config", "response_format", "text")
_CONVERSATION: Final = ("system", "messages", "instructions", "input", "prompt")
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})
_PICTURES: Final = frozenset({"image", "image_url", "input_image"})
_FILES: Final = frozenset({"file", "input_file"})
_UNREAD: Final = frozenset({"redacted_thinking"})


@dataclass(slots=True)
class Parts:
    """What was found in a request, as UTF-8.

    ``said`` is what every model reads: the text of the conversation, and the input and output of tools. ``rest`` is
    what a model may not read, or not in these words: tool definitions, thinking of earlier turns, ids. ``more`` is the
    most tokens of pictures and documents.
    """

    said: list[bytes] = field(default_factory=list)
    rest: list[bytes] = field(default_factory=list)
    more: int = 0


def parts(request: Mapping[str, Any]) -> Parts:
    """Return the parts of a decoded request; values of an unexpected shape are skipped."""
    found = Parts()
    for name in _DEFINITIONS:
        if request.get(name):
            found.rest.append(msgspec.json.encode(request[name]))
    left: list[Any] = [request.get(name) for name in _CONVERSATION]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.said.append(value.encode("utf-8", "replace"))
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            _block(value, left, found)
    return found


def _block(block: Mapping[str, Any], left: list[Any], found: Parts) -> None:
    """Read one message or content block; nested values are appended to ``left``."""
    kind = block.get("type")
    if not isinstance(kind, str | None):
        found.rest.append(msgspec.json.encode(block))
    elif kind in _TEXTS:
        left.append(block.get("text"))
    elif kind in _PICTURES:
        found.more += PICTURE
    elif kind in _FILES:
        found.more += _file(block.get("file", block))
    elif kind == "document":
        left += [block.get("title"), block.get("context")]
        _document(block.get("source"), left, found)
    elif kind == "thinking":
        _rest(block.get("thinking"), found)
    elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        found.said.append(msgspec.json.encode([block.get("name"), block.get("input")]))
    elif kind in ("function_call", "custom_tool_call"):
        left += [block.get("name"), block.get("arguments"), block.get("input")]
    elif kind in ("function_call_output", "custom_tool_call_output"):
        left.append(block.get("output"))
    elif kind in (None, "message", "tool_result"):
        _message(block, left, found)
    elif kind not in _UNREAD:
        found.rest.append(msgspec.json.encode(block))


def _message(block: Mapping[str, Any], left: list[Any], found: Parts) -> None:
    """Read a message, which has a role and in Messages and Chat no type, or the result of a tool."""
    left.append(block.get("content"))
    for name in ("role", "tool_use_id", "tool_call_id", "reasoning_content"):
        _rest(block.get(name), found)
    for name in ("tool_calls", "function_call"):
        if block.get(name):
            found.said.append(msgspec.json.encode(block[name]))


def _rest(value: object, found: Parts) -> None:
    if isinstance(value, str):
        found.rest.append(value.encode("utf-8", "replace"))


def _document(source: object, left: list[Any], found: Parts) -> None:
    if not isinstance(source, dict):
        return
    data = source.get("data")
    if source.get("type") == "base64" and isinstance(data, str):
        found.more += PAGE * _pages(data)
    elif source.get("type") in ("text", "content"):
        left += [data, source.get("content")]
    else:
        found.more += PAGE


def _file(value: object) -> int:
    data = value.get("file_data") if isinstance(value, dict) else None
    return PAGE * _pages(data.rpartition(",")[2]) if isinstance(data, str) else PAGE


def _pages(data: str) -> int:
    try:
        file = base64.b64decode(data)
    except (binascii.Error, ValueError):
        return 1
    counted = len(_PDF_PAGE.findall(file))
    return counted or len(file) // _PAGE_BYTES + 1
