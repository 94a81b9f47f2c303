"""What stands in for the parts of a request that a model cannot take at all, in words that the model reads.

Chat Completions and Responses, as upstreams are asked in. Each function returns the same object where it has nothing to
change.
"""

import json
from operator import is_not
from typing import Any, Final

from claude_gateway_proxy.translation.changes import Json, without

JSON_ONLY: Final = (
    "Answer with one valid JSON object and nothing else: no text before or after it, and no Markdown around it."
)
"""The system's instruction for JSON where there is no field for it."""

_SCHEMA: Final = "The answer is JSON that follows this JSON Schema:"
_IMAGE: Final = "(an image, which this model cannot see)"
_IMAGES: Final = {"image_url": "text", "image": "text", "input_image": "input_text"}
"""Types of parts that are images, with the type of a text beside them."""

_SYSTEM: Final = ("system", "developer")


def with_described_schema(fields: Json) -> Json:
    """The fields with the schema of the answer in words, and any JSON asked for in its place."""
    inner = _format(fields)
    if inner is None or inner.get("type") != "json_schema":
        return fields
    named = inner.get("json_schema")
    schema = named.get("schema") if isinstance(named, dict) else inner.get("schema")
    words = f"{_SCHEMA}\n{json.dumps(schema, ensure_ascii=False)}"
    return _instructed(_with_format(fields, {"type": "json_object"}), words)


def with_described_json(fields: Json) -> Json:
    """Return the fields with the request for JSON only as text."""
    inner = _format(fields)
    if inner is None or inner.get("type") != "json_object":
        return fields
    return _instructed(_with_format(fields, None), JSON_ONLY)


def without_images(fields: Json) -> Json:
    """Return the fields with text in place of images."""
    for name in ("messages", "input"):
        found = fields.get(name)
        if isinstance(found, list):
            changed = [_unseen(each) if isinstance(each, dict) else each for each in found]
            return {**fields, name: changed} if any(map(is_not, changed, found)) else fields
    return fields


def without_system(fields: Json) -> Json:
    """The fields with the system's words at the beginning of the user's first turn."""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return fields
    words = [text for each in messages if _is_system(each) and isinstance(text := each.get("content"), str)]
    if not words:
        return fields
    rest = [each for each in messages if not _is_system(each)]
    at = next((at for at, each in enumerate(rest) if isinstance(each, dict) and each.get("role") == "user"), None)
    if at is None:
        return {**fields, "messages": [{"role": "user", "content": "\n\n".join(words)}, *rest]}
    content = rest[at].get("content")
    said: Any = [{"type": "text", "text": "\n\n".join(words)}, *content] if isinstance(content, list) else None
    rest[at] = {**rest[at], "content": said or "\n\n".join([*words, content or ""])}
    return {**fields, "messages": rest}


def _format(fields: Json) -> Json | None:
    """What a request says of the form of its answer."""
    text = fields.get("text")
    found = text.get("format") if isinstance(text, dict) else fields.get("response_format")
    return found if isinstance(found, dict) else None


def _with_format(fields: Json, wanted: Json | None) -> Json:
    text = fields.get("text")
    if isinstance(text, dict) and "format" in text:
        rest = {**without(text, ("format",)), **({} if wanted is None else {"format": wanted})}
        return {**fields, "text": rest} if rest else without(fields, ("text",))
    return without(fields, ("response_format",)) if wanted is None else {**fields, "response_format": wanted}


def _instructed(fields: Json, words: str) -> Json:
    """The fields with one more instruction of the system."""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        given = fields.get("instructions")
        return {**fields, "instructions": f"{given}\n\n{words}" if isinstance(given, str) and given else words}
    first = messages[0] if messages else None
    if isinstance(first, dict) and _is_system(first) and isinstance(first.get("content"), str):
        return {**fields, "messages": [{**first, "content": f"{first['content']}\n\n{words}"}, *messages[1:]]}
    return {**fields, "messages": [{"role": "system", "content": words}, *messages]}


def _is_system(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM


def _unseen(message: Json) -> Json:
    """A message, or an item of Responses, without its images; what is all text then is a string in Chat Completions."""
    for name in ("content", "output"):
        parts = message.get(name)
        if isinstance(parts, list) and any(map(_is_image, parts)):
            seen = [_worded(part) if _is_image(part) else part for part in parts]
            return {**message, name: _joined(seen)}
    return message


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") in _IMAGES


def _worded(part: Json) -> Json:
    return {"type": _IMAGES[part["type"]], "text": _IMAGE}


def _joined(parts: list[Any]) -> Any:
    """Servers of models that see nothing often take strings alone."""
    texts = [part["text"] for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "\n\n".join(texts) if len(texts) == len(parts) else parts
