"""What an upstream says about an error, found in whatever its vendor wraps it into.

Vendors' shapes: an object or a text in ``error``, a list of them (Google), ``detail`` with places (FastAPI), ``errors``
(Cloudflare), ``metadata.raw`` (OpenRouter), ``base_resp`` (MiniMax), ``code`` and ``msg`` (z.ai), JSON within a text.
"""

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.decoding import MALFORMED, decode, whole

READ_MOST: Final = 64 * 1024
"""Characters of an error that are read."""

_DEPTH: Final = 8
_ENTRIES: Final = 5
"""Entries of a list of errors that are passed on."""

_HEAD: Final = 1024
_BINARY: Final = frozenset("\x00\ufffd")
"""Characters of what is not text, such as a compressed body."""

_LITERAL_MOST: Final = 16 * 1024
_PAGE: Final = re.compile(r"<!doctype|<html|<head|<body|<\?xml", re.IGNORECASE)
_CONTENT: Final = re.compile(
    r"\bflagged\b|\bmoderation\b|content[ _-](?:policy|filter|violat|management|safety)|usage (?:guidelines|policies)"
    r"|safety[ _](?:check|system|filter)|inappropriate content|data[ _]?inspection|sensitive (?:content|words)"
    r"|prohibited content|policy violation|responsible ai",
    re.IGNORECASE,
)
_GENERIC: Final = re.compile(
    r"(?:provider returned error|(?:bad|invalid) request|unprocessable entity|(?:internal )?server error|error"
    r"|upstream (?:error|request failed)|request failed|invalid_request_error|not found|too many requests)\.?",
    re.IGNORECASE,
)
"""Empty messages: the fields beside or below them say more."""

_KEYS: Final = (
    *("message", "msg", "detail", "details", "errors", "error_message", "errorMessage", "error_msg", "errorMsg"),
    *("status_msg", "statusMessage", "error_description", "description", "reason", "title", "Message", "text"),
    *("base_resp", "fault", "faultstring", "data", "body", "response", "cause"),
)
"""The places of the message, the most likely first."""


def words_of(value: object) -> str | None:
    """Return the upstream's message in an error document or text; None if it has none, as in a web page."""
    found = _words(value, _DEPTH)
    return None if found is None else whole(found.strip()) or None


def words_within(text: str) -> str | None:
    """Return the message of the first JSON document within a text; None if there is none."""
    text = text[:READ_MOST]
    at = text.find("{")
    inner = _parsed(text, at - 1 if text[at - 1 : at] == "[" else at) if at >= 0 else None
    found = _words(inner, _DEPTH) if isinstance(inner, Mapping | list) else None
    return None if found is None else whole(found.strip()) or None


def param_of(value: object) -> str:
    """Return the parameter that an error document names beside its message; empty if it names none."""
    document = decode(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else value
    error = document.get("error", document) if isinstance(document, Mapping) else None
    found = error.get("param") if isinstance(error, Mapping) else None
    return whole(found) if isinstance(found, str) else ""


def is_about_content(text: str) -> bool:
    """Return whether an error is about what the request says, and not about who sends it."""
    return _CONTENT.search(text[:READ_MOST]) is not None


def is_page(text: str) -> bool:
    """Return whether a text is a web page, or holds one."""
    return _PAGE.search(text[:READ_MOST]) is not None


def _words(value: object, depth: int) -> str | None:
    if depth == 0:
        return None
    if isinstance(value, str):
        return _text(value, depth)
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list):
        found = (_words(each, depth - 1) for each in value[:_ENTRIES])
        return "; ".join(dict.fromkeys(filter(None, found))) or None
    return None


def _object(value: Mapping[str, Any], depth: int) -> str | None:
    metadata = value.get("metadata")
    raw = _words(metadata.get("raw"), depth - 1) if isinstance(metadata, Mapping) else None
    if raw is not None:
        return raw
    generic: str | None = None
    for key in _order(value):
        found = _words(value.get(key), depth - 1)
        if found is None:
            continue
        if _GENERIC.fullmatch(found) is None:
            return _placed(value, found)
        generic = generic or found
    return generic


def _order(value: Mapping[str, Any]) -> tuple[str, ...]:
    """An error that is a text next to a message is often the phrase of a status."""
    error = value.get("error")
    if isinstance(error, str) and isinstance(value.get("message"), str):
        return (*_KEYS, "error")
    return ("error", *_KEYS)


def _placed(value: Mapping[str, Any], found: str) -> str:
    """Put the place in front of what FastAPI says about it."""
    place = value.get("loc")
    if not isinstance(place, list | tuple):
        return found
    steps = [str(step) for step in place[:16] if isinstance(step, str | int)]
    name = ".".join(steps[1:] if steps[:1] == ["body"] else steps)[:256]
    return f"{name}: {found}" if name else found


def _text(text: str, depth: int) -> str | None:
    text = text[:READ_MOST].strip()
    if is_page(text) or _BINARY & set(text[:_HEAD]) or not any(map(str.isalpha, text[:_HEAD])):
        return None
    at = text.find("{")
    if at < 0:
        inner = decode(text.encode("utf-8", "surrogatepass")) if text[0] in '"[' else MALFORMED
        return text if inner is MALFORMED else _words(inner, depth - 1)
    start = at - 1 if text[at - 1 : at] == "[" else at
    inner = _parsed(text, start)
    found = _words(inner, depth - 1) if isinstance(inner, Mapping | list) else None
    # An object without a message is what the message is about, such as a part of a schema.
    return found if found is not None else None if start == 0 and isinstance(inner, Mapping) else text


def _parsed(text: str, start: int) -> object:
    """Return the JSON value, or Python's spelling of one, at a place in a text."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        pass
    end = text.rfind("]" if text[start] == "[" else "}") + 1
    if end - start > _LITERAL_MOST or "'" not in text[start:end]:
        return None
    try:
        return ast.literal_eval(text[start:end])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
