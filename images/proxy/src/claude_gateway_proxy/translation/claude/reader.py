"""Reads the answer of a Claude, whole or event by event, for a writer of another format."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from claude_gateway_proxy.translation.arguments import written as object_text
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.claude.counts import Counts
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.decoding import Halves
from claude_gateway_proxy.translation.names import call_id
from claude_gateway_proxy.translation.progress import Progress

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
        """The answer is complete; ``refusal`` is the upstream's reason why the model declined."""
        ...


class Reader:
    """Reads one answer. ``ended`` once its last document came.

    Nothing is written before the model has produced output, so that another target can answer until then.
    """

    def __init__(self, sink: Sink, *, model: str | None = None) -> None:
        """Write to ``sink``, as an answer of ``model``; None for the upstream's own name of it."""
        self._sink = sink
        self._model = model
        self._block: Block = {}
        self._pieces: list[str] = []
        self._progress = Progress()
        self._idents: set[str] = set()
        self._is_cut = False
        self._reason: str | None = None
        self._refusal: str | None = None
        self._opening = b""
        self._halves = Halves()
        self._counts = Counts()
        self.ended = False

    def document(self, document: Mapping[str, Any]) -> bytes:
        """Read one event of the stream, or a whole message; return what the client's stream gets of it.

        Raises Broken where the answer says that it is over, but not why.
        """
        written = self._read(document)
        if written and self._opening:
            written, self._opening = self._opening + written, b""
        return written

    def end(self) -> bytes:
        """Return the end of the client's stream. Raises Broken if the answer is not complete."""
        written = self._closed() if self._block else b""
        if self._reason is None:
            raise Broken("the upstream ended its answer before it was complete")
        finish = _FINISHES.get(self._reason, "stop")
        if self._is_cut and finish in ("stop", "tool_calls"):
            raise Broken("the upstream ended its answer within a tool call")
        self.ended = True
        written += self._sink.finish(finish, self._counts, refusal=self._refusal)
        written, self._opening = self._opening + written, b""
        return written

    def _read(self, document: Mapping[str, Any]) -> bytes:
        kind = document.get("type")
        if kind == "content_block_delta":
            return self._delta(_object(document.get("delta")))
        if kind == "content_block_start":
            return self._opened(dict(_object(document.get("content_block"))))
        if kind == "content_block_stop":
            return self._closed()
        if kind == "message_start":
            self._started(_object(document.get("message")))
        elif kind == "message_delta":
            self._stop(_object(document.get("delta")), document.get("usage"))
        elif kind == "message_stop":
            self.ended = True
        elif kind == "message":
            return self._whole(document)
        return b""

    def _whole(self, message: Mapping[str, Any]) -> bytes:
        self._started(message)
        content = message.get("content")
        parts: list[bytes] = []
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict):
                parts += [self._opened(dict(block)), self._closed()]
        self._stop(message, None)
        self.ended = True
        return b"".join(parts)

    def _started(self, message: Mapping[str, Any]) -> None:
        self._counts.take(message.get("usage"))
        self._opening = self._sink.start(self._model or str(message.get("model") or ""))

    def _opened(self, block: Block) -> bytes:
        """A block begins, with its first piece if it has one already; open blocks are closed."""
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
            return before + self._call(block)
        return before

    def _call(self, block: Block) -> bytes:
        """A call begins; its client finds the result again by the id."""
        name, ident = str(block.get("name") or ""), str(block.get("id") or "")
        if not name:
            raise Broken("the upstream sent a tool call without its name")
        if not ident or ident in self._idents:
            ident = call_id("", known=frozenset())
        self._idents.add(ident)
        self._progress = Progress()
        return self._sink.call(ident, name)

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._text(delta.get("text"))
        if kind == "input_json_delta":
            return self._input(delta.get("partial_json"))
        if kind == "thinking_delta":
            return self._thinking(delta.get("thinking"))
        if kind == "signature_delta":
            self._block["signature"] = f"{self._block.get('signature') or ''}{delta.get('signature') or ''}"
        elif kind == "citations_delta":
            return self._sink.cited(_object(delta.get("citation")))
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

    def _input(self, text: object) -> bytes:
        text = self._halves.whole(text) if isinstance(text, str) else ""
        if not text:
            return b""
        self._pieces.append(text)
        if self._block.get("type") != "tool_use":
            return b""
        # Claude writes them unchecked where a client or a server asks for that.
        mended, _ = self._progress.feed(text)
        return self._sink.arguments(mended) if mended and self._progress.kind == "{" else b""

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
            self._is_cut = self._is_cut or self._progress.open
            # Servers that do not stream arguments put them into the block itself; no arguments are an empty object.
            given = block.get("input") if not pieces else "".join(pieces)
            written = b"" if self._progress.kind == "{" else self._sink.arguments(object_text(given))
            return written + self._sink.called()
        if kind == "server_tool_use" and block.get("name") == "web_search":
            return self._sink.search(str(block.get("id") or ""), _query(block, pieces))
        return b""

    def _stop(self, stop: Mapping[str, Any], usage: object) -> None:
        self._counts.take(usage)
        reason, details = stop.get("stop_reason"), stop.get("stop_details")
        self._reason = reason if isinstance(reason, str) else self._reason
        if isinstance(details, Mapping) and isinstance(details.get("explanation"), str):
            self._refusal = details["explanation"]


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _query(block: Block, pieces: list[str]) -> str:
    """What a search looks for."""
    given = block.get("input")
    if pieces:
        try:
            given = msgspec.json.decode("".join(pieces))
        except (msgspec.DecodeError, RecursionError):
            given = None
    return str(given.get("query") or "") if isinstance(given, dict) else ""
