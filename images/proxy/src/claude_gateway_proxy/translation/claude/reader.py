"""Reads the answer of a Claude, whole or event by event, for a writer of another format."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from claude_gateway_proxy.translation.bad_answer import Broken, Reported
from claude_gateway_proxy.translation.claude.counts import Counts
from claude_gateway_proxy.translation.claude.failures import status_of
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.decoding import MALFORMED, Halves, decode

Finish = str
"""Why an answer ended, as one of ``stop``, ``length``, ``tool_calls`` and ``content_filter``."""

_FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    # The server's tools ran too long in one answer: what is there is not all of it.
    "pause_turn": "length",
    "refusal": "content_filter",
}


class Sink(Protocol):
    """A writer of another format; each method returns the bytes that follow from its input."""

    def start(self, model: str) -> bytes:
        """The answer of a model begins."""
        ...

    def text(self, text: str) -> bytes:
        """A piece of text."""
        ...

    def cited(self, citation: Mapping[str, Any]) -> bytes:
        """A source of the text before."""
        ...

    def thinking(self, text: str) -> bytes:
        """A piece of thinking."""
        ...

    def thought(self, block: Block) -> bytes:
        """A block of thinking is complete: with its signature, or redacted."""
        ...

    def call(self, ident: str, name: str) -> bytes:
        """A call of one of the client's tools begins."""
        ...

    def arguments(self, text: str) -> bytes:
        """A piece of the call's arguments, as JSON text."""
        ...

    def called(self) -> bytes:
        """The call is complete."""
        ...

    def search(self, ident: str, query: str) -> bytes:
        """The server searches the web."""
        ...

    def text_done(self) -> bytes:
        """A block of text is complete."""
        ...

    def finish(self, reason: Finish, counts: Counts, *, refusal: str | None) -> bytes:
        """The answer is complete; ``refusal`` is why the model declined, in the upstream's words."""
        ...

    def fail(self, kind: str, message: str) -> bytes:
        """The upstream ends its answer with an error of one of Anthropic's types."""
        ...


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_details: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: _Delta | None = None
    content_block: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


_DECODER: Final = msgspec.json.Decoder(_Event)
_FAILED: Final = "the upstream's answer failed"
_NO_DELTA: Final = _Delta()


class Reader:
    """Reads one answer. ``ended`` once its last event came.

    Nothing is written before the model has said something, so that until then another target can answer.
    """

    def __init__(self, sink: Sink) -> None:
        """Write to ``sink``."""
        self._sink = sink
        self._block: Block = {}
        self._pieces: list[str] = []
        self._reason: str | None = None
        self._refusal: str | None = None
        self._opening = b""
        self._begun = False
        self._halves = Halves()
        self.counts = Counts()
        self.ended = False

    def event(self, data: bytes) -> bytes:
        """Read the data of one event and return what the client gets of it.

        Raises Broken where it is no event of Messages, Reported where an answer begins with an error.
        """
        written = self._event(_decoded(data))
        if written and not self._begun:
            self._begun = True
            return self._opening + written
        return written

    def end(self) -> bytes:
        """Read the end of the stream. Raises Broken where the answer is not complete."""
        if self.ended:
            return b""
        return self._opening + self._end() if not self._begun else self._end()

    def whole(self, message: Any) -> bytes:
        """Read a whole message, and return it as a stream. Raises Broken where it is none, Reported for an error."""
        if isinstance(message, dict) and (message.get("type") == "error" or message.get("error")):
            raise _reported(message.get("error"))
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            raise Broken("the upstream's answer is not a message")
        parts = [self._started(message)]
        for block in content:
            if isinstance(block, dict):
                parts += [self._opened(block), self._closed()]
        reason, details = message.get("stop_reason"), message.get("stop_details")
        self._stop(_Delta(stop_reason=reason if isinstance(reason, str) else None, stop_details=details), None)
        return b"".join([*parts, self._end()])

    def _event(self, event: _Event) -> bytes:
        if self.ended:
            return b""
        kind = event.type
        if kind == "content_block_delta":
            return self._delta(event.delta or _NO_DELTA)
        if kind == "content_block_start":
            return self._opened(event.content_block or {})
        if kind == "content_block_stop":
            return self._closed()
        if kind == "message_start":
            self._opening = self._started(event.message or {})
        elif kind == "message_delta":
            self._stop(event.delta or _NO_DELTA, event.usage)
        elif kind == "message_stop":
            return self._end()
        elif kind == "error":
            return self._fail(event.error)
        return b""

    def _started(self, message: Mapping[str, Any]) -> bytes:
        self.counts.take(message.get("usage"))
        return self._sink.start(str(message.get("model") or ""))

    def _opened(self, block: Block) -> bytes:
        """A block begins, with its first piece where it has one already; blocks that nobody closed are closed."""
        before = self._closed() if self._block else b""
        self._block, self._pieces = block, []
        kind = block.get("type")
        if kind == "text":
            cited = block.get("citations")
            found = before + self._text(block.get("text"))
            for each in cited if isinstance(cited, list) else ():
                found += self._sink.cited(each) if isinstance(each, dict) else b""
            return found
        if kind == "thinking":
            return before + self._thinking(block.get("thinking"))
        if kind == "tool_use":
            return before + self._sink.call(str(block.get("id") or ""), str(block.get("name") or ""))
        return before

    def _delta(self, delta: _Delta) -> bytes:
        kind = delta.type
        if kind == "text_delta":
            return self._text(delta.text)
        if kind == "input_json_delta":
            return self._input(delta.partial_json)
        if kind == "thinking_delta":
            return self._thinking(delta.thinking)
        if kind == "signature_delta":
            self._block["signature"] = (self._block.get("signature") or "") + (delta.signature or "")
        elif kind == "citations_delta" and delta.citation:
            return self._sink.cited(delta.citation)
        return b""

    def _text(self, text: object) -> bytes:
        text = self._halves.whole(text) if isinstance(text, str) else ""
        return self._sink.text(text) if text else b""

    def _thinking(self, text: object) -> bytes:
        text = self._halves.whole(text) if isinstance(text, str) else ""
        if not text:
            return b""
        self._pieces.append(text)
        return self._sink.thinking(text)

    def _input(self, text: str | None) -> bytes:
        text = self._halves.whole(text) if text else ""
        if not text:
            return b""
        self._pieces.append(text)
        return self._sink.arguments(text) if self._block.get("type") == "tool_use" else b""

    def _closed(self) -> bytes:
        """The open block ends."""
        block, pieces = self._block, self._pieces
        self._block, self._pieces = {}, []
        kind = block.get("type")
        if kind == "text":
            return self._sink.text_done()
        if kind == "thinking":
            signature = block.get("signature") or ""
            return self._sink.thought({"type": kind, "thinking": "".join(pieces), "signature": signature})
        if kind == "redacted_thinking":
            return self._sink.thought({"type": kind, "data": str(block.get("data") or "")})
        if kind == "tool_use":
            # Servers that do not stream arguments put them into the block itself; no arguments are an empty object.
            given = b"" if pieces else self._sink.arguments(msgspec.json.encode(block.get("input") or {}).decode())
            return given + self._sink.called()
        if kind == "server_tool_use" and block.get("name") == "web_search":
            return self._sink.search(str(block.get("id") or ""), _query(block, pieces))
        return b""

    def _stop(self, delta: _Delta, usage: object) -> None:
        self.counts.take(usage)
        self._reason = delta.stop_reason or self._reason
        details = delta.stop_details
        if isinstance(details, dict) and isinstance(details.get("explanation"), str):
            self._refusal = details["explanation"]

    def _end(self) -> bytes:
        if self._reason is None:
            raise Broken("the upstream ended its answer before it was complete")
        before = self._closed() if self._block else b""
        self.ended = True
        return before + self._sink.finish(_FINISHES.get(self._reason, "stop"), self.counts, refusal=self._refusal)

    def _fail(self, error: Mapping[str, Any] | None) -> bytes:
        if not self._begun:
            raise _reported(error)
        self.ended = True
        found = error or {}
        return self._sink.fail(str(found.get("type") or "api_error"), str(found.get("message") or _FAILED))


def _decoded(data: bytes) -> _Event:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = decode(data)
        try:
            return msgspec.convert(None if document is MALFORMED else document, _Event)
        except msgspec.ValidationError:
            raise Broken("the upstream's stream is not one of Messages") from None


def _reported(error: object) -> Reported:
    found = error if isinstance(error, Mapping) else {"message": error}
    status = status_of(str(found.get("type") or ""))
    return Reported(str(found.get("message") or _FAILED), status=status, document={"type": "error", "error": found})


def _query(block: Block, pieces: list[str]) -> str:
    """What a search looks for."""
    given = block.get("input")
    if pieces:
        try:
            given = msgspec.json.decode("".join(pieces))
        except (msgspec.DecodeError, RecursionError):
            given = None
    return str(given.get("query") or "") if isinstance(given, dict) else ""
