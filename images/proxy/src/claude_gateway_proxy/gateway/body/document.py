"""A request body as bytes whose top-level values are located, so that edits keep every other byte.

``parse`` validates the JSON, splits the top level and records where each value is; ``splice`` replaces, adds or removes
top-level values and leaves every other byte as the client sent it (measured: 0.5 ms per MB).
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.body import fields
from claude_gateway_proxy.gateway.errors import Failure, bad_json, bad_request

MODEL_LIMIT: Final = 256
"""The most characters of a model name. A longer name is rejected in a request, and no pattern matches it."""

OUTPUT_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""The fields that limit the output tokens, in any format."""

_BOM: Final = b"\xef\xbb\xbf"
_KEY_LIMIT: Final = 1024
"""The most characters of a top-level key, as written."""
_OPENED: Final = re.compile(rb"[ \t\r\n]*+\{[ \t\r\n]*+")
_KEY: Final = re.compile(rb'("(?:[^"\\]|\\.){0,%d}+")[ \t\r\n]*+:[ \t\r\n]*+' % _KEY_LIMIT, re.DOTALL)
_COMMA: Final = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_CLOSED: Final = re.compile(rb"[ \t\r\n]*+(\})[ \t\r\n]*+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FIRST: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_SECOND: Final = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALVES: Final = (re.compile(_FIRST + b"(?!" + _SECOND + b")"), re.compile(_SECOND + b"(?<!" + _FIRST + _SECOND + b")"))
_HALVES_LIMIT: Final = 10_000
"""A body with more lone surrogates is rejected: replacing them all would block every other request."""


class Body(msgspec.Struct, frozen=True):
    """A request body: one JSON object, valid, with no key twice, in whatever case.

    ``members`` has the byte span ``(start, end)`` of each top-level value in ``raw``, in the order of ``raw``, and
    ``close`` the offset of the object's last brace. ``model`` and ``stream`` may come from the request's path instead.
    """

    raw: bytes
    members: Mapping[str, tuple[int, int]]
    close: int
    model: str
    stream: bool

    def value(self, key: str) -> bytes | None:
        """Return the JSON text of a top-level value, readable by any decoder; None if it is absent."""
        span = self.members.get(key)
        return None if span is None else readable(self.raw[span[0] : span[1]])

    def limit(self, key: str) -> int | None:
        """Return the value of one of ``OUTPUT_LIMITS``; None if it is absent or null."""
        text = self.value(key)
        return None if text is None or text == b"null" else int(text)


def parse(raw: bytes, *, model: str | None = None, stream: bool = False) -> Body:
    """Read a body; a leading byte order mark is removed.

    ``model`` and ``stream`` come from the path of the request; if the path names the model, the body need not. Raises
    Failure (400) unless the body is a JSON object with unique keys of bounded number and length, a valid ``model``, and
    a ``stream`` and output limits of the right type.
    """
    if raw.startswith(_BOM):
        raw = raw[len(_BOM) :]
    text, values = _decoded(raw)
    members, close = _spans(text, values)
    fields.check_spelling(members)
    for key in OUTPUT_LIMITS:
        if key in values:
            _check_limit(key, bytes(values[key]))
    asked = bytes(values["stream"]) if "stream" in values else b"false"
    if asked not in (b"true", b"false", b"null"):
        raise bad_request("stream: must be true or false")
    name = _model(values.get("model")) if model is None else checked_model(model)
    return Body(raw=raw, members=members, close=close, model=name, stream=stream or asked == b"true")


def readable(text: bytes) -> bytes:
    """Replace lone surrogates (``\\ud83d`` alone) in JSON text; the length stays the same.

    JSON allows them, and JavaScript writes them when it cuts an emoji in two. An upstream may accept them, but no
    decoder here does.
    """
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    # Zero bytes, which no JSON has, stand for escaped backslashes: after one of these, "ud83d" is plain text.
    text = text.replace(rb"\\", b"\0\0")
    for half in _HALVES:
        text = half.sub(rb"\\ufffd", text, count=_HALVES_LIMIT)
    return text.replace(b"\0\0", rb"\\")


def _decoded(raw: bytes) -> tuple[bytes, Mapping[str, msgspec.Raw]]:
    """The top level of a body, and the text of the same length from which it was read."""
    try:
        try:
            return raw, fields.decode(raw)
        except msgspec.DecodeError:
            text = readable(raw)
            if b"\0" in raw or text == raw:
                raise
            return text, fields.decode(text)
    except msgspec.ValidationError:
        raise bad_request("the body must be a JSON object") from None
    except msgspec.DecodeError as error:
        raise bad_json(str(error)) from None
    except UnicodeDecodeError:
        raise bad_json("it is not UTF-8") from None
    except RecursionError:
        raise bad_json("it is nested too deeply") from None


def splice(body: Body, changes: Mapping[str, bytes | None]) -> bytes:
    """Return the body with some top-level values replaced or (if absent) added; ``changes`` holds JSON texts.

    None removes a key. Every other byte stays as it is, including white space and the order of keys.
    """
    if not changes:
        return body.raw
    if None in changes.values():
        return _respliced(body, changes)
    spans = sorted((*body.members[key], text) for key, text in changes.items() if key in body.members)
    parts: list[bytes] = []
    at = 0
    for start, end, text in spans:
        parts += (body.raw[at:start], text or b"")
        at = end
    parts.append(body.raw[at : body.close])
    return b"".join(parts) + _added(body, changes, first=not body.members) + body.raw[body.close :]


def _respliced(body: Body, changes: Mapping[str, bytes | None]) -> bytes:
    """Splice and remove keys, each with the comma before it; if the first key is removed, the next loses its comma."""
    raw = body.raw
    opened = raw.index(b"{") + 1
    parts = [raw[:opened]]
    at, first = opened, True
    for key, (start, end) in body.members.items():
        text = changes.get(key, raw[start:end])
        if text is not None:
            before = raw[at:start]
            parts += (before if not first or at == opened else before.partition(b",")[2], text)
            first = False
        at = end
    parts += (raw[at : body.close], _added(body, changes, first=first), raw[body.close :])
    return b"".join(parts)


def _added(body: Body, changes: Mapping[str, bytes | None], *, first: bool) -> bytes:
    """Return the members that ``body`` does not have, each after a comma except for the object's ``first``."""
    new = [
        msgspec.json.encode(key) + b":" + text
        for key, text in changes.items()
        if text is not None and key not in body.members
    ]
    return (b"" if first or not new else b",") + b",".join(new)


def _spans(raw: bytes, values: Mapping[str, msgspec.Raw]) -> tuple[dict[str, tuple[int, int]], int]:
    """Walk the top level by the known length of each value.

    The JSON is valid, so the walk can only fail if a key is repeated. The decoder keeps the last value of such a key
    and an upstream may use the first, so a client could show us one model and the upstream another.
    """
    members: dict[str, tuple[int, int]] = {}
    opened = _OPENED.match(raw)
    at = 0 if opened is None else opened.end()
    while raw[at : at + 1] == b'"':
        match = _KEY.match(raw, at)
        if match is None:
            raise bad_request(f"the body has a top-level key of more than {_KEY_LIMIT} characters")
        quoted = match[1]
        key = _text(quoted) if b"\\" in quoted else quoted[1:-1].decode()
        value = values.get(key) if key is not None else None
        if key is None or value is None or key in members:
            raise _duplicate()
        start = match.end()
        text = bytes(value)
        if not raw.startswith(text, start):
            raise _duplicate()
        at = start + len(text)
        members[key] = (start, at)
        comma = _COMMA.match(raw, at)
        if comma is None:
            break
        at = comma.end()
    closed = _CLOSED.match(raw, at)
    if closed is None or closed.end() != len(raw) or len(members) != len(values):
        raise _duplicate()
    return members, closed.start(1)


def _duplicate() -> Failure:
    return bad_request("the body has a top-level key twice")


def _text(quoted: bytes) -> str | None:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):  # also if it is not a string at all
        return None


def _model(value: msgspec.Raw | None) -> str:
    if value is None:
        raise bad_request("model: field required")
    return checked_model(_text(bytes(value)))


def checked_model(model: str | None) -> str:
    """Return a model name that is safe to look up and to log. Raises Failure (400) for any other text."""
    if not model or len(model) > MODEL_LIMIT or _CONTROL.search(model):
        raise bad_request(f"model: must be a string of 1 to {MODEL_LIMIT} printable characters")
    return model


def _check_limit(key: str, text: bytes) -> None:
    if text != b"null" and not (text.isdigit() and len(text) < 16):
        raise bad_request(f"{key}: must be a whole number")
