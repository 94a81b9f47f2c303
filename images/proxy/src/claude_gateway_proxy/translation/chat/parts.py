"""Texts of Chat Completions: a string, a number, a list of parts, or nothing, as servers happen to send them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_REASONING: Final = ("reasoning_content", "reasoning", "thinking", "thinking_content", "reasoning_text")
"""Where servers put their reasoning; the second is OpenRouter's and newer vLLM's."""

_THOUGHTS: Final = ("thinking", "reasoning", "reasoning_content", "reasoning.text", "reasoning.summary", "thought")
"""Types of parts that are reasoning; the first is Mistral's."""

_NUMBER: Final = re.compile(r"[0-9]{1,7}", re.ASCII)
_DEPTH: Final = 4


def text_of(value: object) -> str:
    """Return a value as text; a list of parts as the texts of those that are not reasoning."""
    if isinstance(value, str):
        return value
    return "".join(text for kind, text in _parts(value, _DEPTH) if kind == "text")


def objects_of(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list; some servers send one without a list, or an object whose keys are their numbers."""
    if isinstance(value, dict):
        if value and all(_NUMBER.fullmatch(key) and isinstance(each, dict) for key, each in value.items()):
            return [{"index": int(key), **each} for key, each in value.items()]
        return [value]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def said_of(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what a message or a piece of one says, in order, as ("thinking" or "text", text)."""
    yield from _reasoning(message)
    yield from _parts(message.get("content"), _DEPTH)
    refusal = message.get("refusal")
    if refusal and refusal is not True:
        yield "text", text_of(refusal)


def _reasoning(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _REASONING:
        value = message.get(name)
        if value and value is not True:
            found = "".join(text for _, text in _parts(value, _DEPTH))
            if found:
                yield "thinking", found
                return
    details = message.get("reasoning_details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            text = detail.get("text") or detail.get("summary")
            if isinstance(text, str):
                yield "thinking", text


def _parts(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value:
            yield "text", value
    elif isinstance(value, bool | int | float):
        yield "text", json.dumps(value)
    elif isinstance(value, list):
        for part in value if depth else ():
            yield from _parts(part, depth - 1)
    elif isinstance(value, dict) and depth:
        kind = value.get("type")
        thought = kind in _THOUGHTS
        for name in ("text", "refusal", "content", "thinking", "reasoning", "summary"):
            inner = value.get(name)
            if inner not in (None, "", [], False):
                # Cohere's pieces have no type.
                thought = thought or name in ("thinking", "reasoning")
                for found, text in _parts(inner, depth - 1):
                    yield "thinking" if thought else found, text
                return
