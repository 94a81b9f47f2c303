"""The JSON documents of an upstream's answer, whatever was requested and whatever its content type says.

Servers answer a request for a stream with one document, one for a document with a stream, or with a web page. The first
bytes say which of them it is: no line of an event stream begins with ``{``, ``[`` or ``<``.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.decoding import MALFORMED, decode
from claude_gateway_proxy.translation.framing import Framing, ServerEvent
from claude_gateway_proxy.translation.reports import reported
from claude_gateway_proxy.translation.words import is_page, words_of

WHOLE_MOST: Final = 32 * 1024 * 1024
"""Bytes of an answer that is one document."""

_BLANK: Final = b" \t\r\n"
_MARK: Final = b"\xef\xbb\xbf"
_DONE: Final = (b"[DONE]", b'"[DONE]"', b"[done]", b"DONE")
_NAMELESS: Final = (b"", b"message", b"data", b"chunk", b"completion")
"""Names of events whose data must be JSON; under any other one, what is not JSON is a sign of life."""

_BETWEEN: Final = re.compile(r"(?:[ \t\r\n]|data:|\[DONE\])*+")
"""What may stand between the documents of one event."""

_WRAPPERS: Final = ("response", "result", "data")
_DECODER: Final = json.JSONDecoder(strict=False)

Document = dict[str, Any]


class Form(Enum):
    """What the first bytes of an answer are."""

    UNKNOWN = "nothing yet"
    EVENTS = "an event stream"
    DOCUMENT = "a document, or one on each line"
    PAGE = "a web page"


class Documents:
    """Reads the documents of one answer. ``form`` is known from the first byte that is not blank.

    ``done`` after a stream reported that it is complete, which servers do before they end it, or without ending it.
    ``failure`` is what the next call raises: a piece may hold documents and, behind them, an error.
    """

    __slots__ = ("_framing", "_kept", "done", "failure", "form")

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._framing = Framing()
        self._kept = bytearray()
        self.form = Form.UNKNOWN
        self.done = False
        self.failure: BadAnswer | None = None

    def feed(self, piece: bytes) -> list[Document]:
        """Return the documents that a piece of the answer completes.

        Raises Broken for what is not an answer or is too large, and Reported for an error. However a stream is cut, the
        documents before an error are returned.
        """
        if self.failure is not None:
            raise self.failure
        if self.form is Form.UNKNOWN:
            self._kept += piece
            piece = bytes(self._kept.removeprefix(_MARK).lstrip(_BLANK))
            self._kept.clear()
            if _MARK.startswith(piece):
                # Nothing yet, or a mark that is cut.
                self._kept += piece
                return []
            self.form = _form(piece)
        if self.form is Form.EVENTS:
            events = self._framing.feed(piece)
            self.done = bool(events) and events[-1].data.strip() in _DONE
            return self._of(events)
        if self.form is Form.PAGE:
            raise Broken("the upstream answered with a web page")
        self._kept += piece
        self._bound()
        return []

    def end(self) -> list[Document]:
        """Return the documents that the end of the answer completes. Raises like ``feed``."""
        if self.failure is not None:
            raise self.failure
        if self.form is Form.EVENTS:
            return self._of(self._framing.end())
        if self.form is Form.DOCUMENT:
            return list(_of_text(bytes(self._kept)))
        return []

    def _of(self, events: list[ServerEvent]) -> list[Document]:
        found: list[Document] = []
        try:
            for event in events:
                found += _chunk(event) or _of_event(event)
        except BadAnswer as error:
            if not found:
                raise
            self.failure = error
        return found

    def _bound(self) -> None:
        if len(self._kept) > WHOLE_MOST:
            raise Broken(f"the upstream's answer is larger than {WHOLE_MOST:,} bytes")


def _form(start: bytes) -> Form:
    if start.startswith((b"{", b"[", b'"')):
        return Form.DOCUMENT
    return Form.PAGE if start.startswith(b"<") else Form.EVENTS


def _chunk(event: ServerEvent) -> tuple[Document] | None:
    """Return the document of an event that is plainly a chunk of Chat Completions, as most events are."""
    if event.name or event.data[:1] != b"{":
        return None
    value = decode(event.data)
    choices = value.get("choices") if type(value) is dict else None
    if type(choices) is not list or not choices or type(choices[0]) is not dict:
        return None
    plain = "error" not in value and "base_resp" not in value and "error" not in choices[0]
    return (value,) if plain else None


def _of_event(event: ServerEvent) -> Iterator[Document]:
    """Return the document in an event; a list holds several."""
    data = event.data.strip()
    failed = event.name in (b"error", b"response.error")
    if not failed and (not data or data in _DONE):
        return
    value = decode(data) if data else {}
    if value is MALFORMED and not failed and (several := _several(data)):
        value = several
    if value is MALFORMED:
        text = data.decode("utf-8", "replace")
        if is_page(text):
            raise Broken("the upstream answered with a web page")
        if failed:
            raise Reported(words_of(text) or "the upstream reported an error without words", status=500)
        if event.name in _NAMELESS and data.startswith((b"{", b"[")):
            raise Broken("the upstream sent an event that is not JSON")
        return
    if failed:
        raise _failed(value)
    if isinstance(value, dict) and "type" not in value and event.name not in _NAMELESS and "choices" not in value:
        # Some servers of Responses name the event only in the framing.
        value["type"] = event.name.decode("utf-8", "replace")
    yield from _checked(value)


def _failed(value: object) -> Reported:
    """Return the error of an event that is called one."""
    found = reported(value) if isinstance(value, dict) else None
    if found is not None:
        return found
    words = words_of(value) or "the upstream reported an error without words"
    document = value if isinstance(value, dict) else {"error": value}
    return reported({"error": document}) or Reported(words, status=500, document=document)


def _of_text(text: bytes) -> Iterator[Document]:
    """Return the document that a text is, or those of its lines; some proxies send the whole as JSON within JSON."""
    value = decode(text)
    if isinstance(value, str):
        value = decode(value.encode("utf-8", "surrogatepass"))
    if value is not MALFORMED:
        if not isinstance(value, Mapping | list):
            raise Broken("the upstream's answer is not a JSON object")
        yield from _checked(value)
        return
    documents = _several(text)
    if not documents:
        raise Broken("the upstream's answer is not JSON, or is cut off")
    yield from _checked(documents)


def _several(data: bytes) -> list[Document]:
    """Return the documents of an event whose lines are events of their own, or that stand in a row; none for others.

    Some servers leave out the empty line behind an event, or write the name of the field twice.
    """
    text, at = data.decode("utf-8", "replace"), 0
    found: list[Document] = []
    while (at := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr] # it matches nothing, too
        try:
            document, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(document, dict):
            return []
        found.append(document)
    return found


def _checked(value: object) -> Iterator[Document]:
    for document in value if isinstance(value, list) else (value,):
        if isinstance(document, dict):
            error = reported(document)
            if error is not None:
                raise error
            yield _unwrapped(document)


def _unwrapped(document: Document) -> Document:
    """Return the chat completion that a document wraps; the document itself if it wraps none."""
    if "choices" not in document and "type" not in document:
        for name in _WRAPPERS:
            inner = document.get(name)
            if isinstance(inner, dict) and "choices" in inner:
                return inner
    return document
