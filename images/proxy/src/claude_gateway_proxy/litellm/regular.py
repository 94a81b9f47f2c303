"""Normalizes answers of upstreams in OpenAI's formats before LiteLLM and OpenAI's SDK read them.

They split lines at characters that are text, lose irregular chunks and calls, invent the end and the counts of an
answer, and treat a web page as an empty one. So the translation's own readers read each answer first, and pass it on as
OpenAI itself would write it.
"""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec

from claude_gateway_proxy.litellm import cohere
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.calls import Arguments, Begin
from claude_gateway_proxy.translation.chat.chunks import Chunks, Piece, Said, choices_of, counts_of
from claude_gateway_proxy.translation.documents import Document, Documents
from claude_gateway_proxy.translation.framing import escaped
from claude_gateway_proxy.translation.names import call_id

if TYPE_CHECKING:
    from claude_gateway_proxy.translation.messages.events import Usage
    from claude_gateway_proxy.translation.messages.options import RequestOptions

_DONE: Final = b"data: [DONE]\n\n"
_SAID: Final = frozenset(
    {"content", "reasoning_content", "reasoning", "reasoning_details", "tool_calls", "function_call", "refusal"}
)
"""Fields of a delta that the readers read; what they say is written again by us."""

_CHAT: Final = "/chat/completions"
_COHERE: Final = cohere.PATH
_RESPONSES: Final = "/responses"


class AnswerContext:
    """The counts that an upstream itself reported; ``regular`` says whether its answer was read here."""

    def __init__(self, *, choices: object = None, options: "RequestOptions | None" = None) -> None:
        """Begin before the answer, of which ``choices`` were asked for, to a request of Messages with ``options``."""
        self.tools = frozenset[str]() if options is None else options.tools
        self.choices = choices if isinstance(choices, int) and choices > 1 else 1
        self.regular = False
        self.usage: Usage | None = None


answer_context: Final[ContextVar[AnswerContext | None]] = ContextVar("answer_context", default=None)
"""The counts of the current request's upstream; tasks and threads that serve the request inherit them."""


def is_regular(path: str) -> bool:
    """Whether answers from a path of an upstream are in one of OpenAI's formats."""
    return path.endswith((_CHAT, _RESPONSES, _COHERE))


def whole(content: bytes, path: str) -> bytes:
    """Return a whole answer as one regular document. Raises BadAnswer."""
    reader = Documents()
    documents = [*reader.feed(content), *reader.end()]
    if path.endswith(_COHERE):
        documents = [cohere.chat(document) for document in documents]
    elif not path.endswith(_CHAT):
        if not documents:
            raise Broken("the upstream's answer is empty")
        return msgspec.json.encode(documents[-1] if len(documents) == 1 else _completed(documents))
    choices: dict[object, _Choice] = {}
    found: Document = {}
    for document in documents:
        _listen(document)
        found = {**found, **{name: value for name, value in document.items() if value is not None}}
        for choice in _asked_for(document, choices):
            choices.setdefault(choice.get("index"), _Choice()).add(choice)
    if not choices:
        raise Broken("the upstream's answer has no choices")
    return msgspec.json.encode(
        {**found, "choices": [each.message(number) for number, each in enumerate(choices.values())]}
    )


class Stream:
    """Normalizes one stream, piece by piece."""

    def __init__(self, path: str) -> None:
        """Begin the answer from a path of an upstream."""
        self._is_cohere = path.endswith(_COHERE)
        self._is_chat = self._is_cohere or path.endswith(_CHAT)
        self._documents = Documents()
        self._choices: dict[object, _Choice] = {}
        self._count = 0

    def feed(self, piece: bytes) -> bytes:
        """Return what LiteLLM may read of a piece. Raises BadAnswer."""
        return b"".join(map(self._written, self._documents.feed(piece)))

    def end(self) -> bytes:
        """Return what is left at the end. Raises BadAnswer where the answer has none."""
        left = b"".join(map(self._written, self._documents.end()))
        if not self._count or (self._is_chat and not self._choices):
            raise Broken("the upstream ended its answer before it began")
        if not self._is_chat:
            return left
        for choice in self._choices.values():
            left += choice.ended()
        return left + _DONE

    def _written(self, document: Document) -> bytes:
        self._count += 1
        if self._is_cohere:
            document = cohere.chat(document)
        if not self._is_chat:
            if document.get("object") == "response" and "type" not in document:
                document = {"type": "response.completed", "response": document}
            return _event(document)
        _listen(document)
        choices = [
            self._choices.setdefault(choice.get("index"), _Choice()).delta(choice)
            for choice in _asked_for(document, self._choices)
        ]
        return _event({**document, "choices": choices})


class _Choice:
    """One choice of an answer."""

    def __init__(self) -> None:
        context = answer_context.get()
        self._chunks = Chunks(frozenset() if context is None else context.tools)
        self._pieces: list[Piece] = []
        self._first: Mapping[str, Any] = {}
        self._is_ended = False

    def add(self, choice: Mapping[str, Any]) -> None:
        """Read a part of a choice that is given as a whole."""
        self._first = self._first or choice
        self._pieces += self._chunks.read({"choices": [choice]})

    def message(self, number: int) -> Document:
        """Return the choice as a whole one. Raises Broken where it is not complete."""
        self._pieces += self._chunks.end()
        said = self._first.get("message")
        kept = {name: value for name, value in said.items() if name not in _SAID} if isinstance(said, dict) else {}
        message = {"role": "assistant", **kept, "content": None, **_fields(self._pieces)}
        for call in message.get("tool_calls", ()):
            del call["index"]
        rest = {name: value for name, value in self._first.items() if name not in ("delta", "message", "text")}
        return {**rest, "index": number, "message": message, "finish_reason": self._chunks.reason}

    def delta(self, choice: Mapping[str, Any]) -> Document:
        """Return a part of a streamed choice; its end has all that is left. Raises Broken where it is not complete."""
        pieces = list(self._chunks.read({"choices": [choice]}))
        reason = None
        if self._chunks.reason is not None and not self._is_ended:
            self._is_ended = True
            pieces += self._chunks.end()
            reason = self._chunks.reason
        said = choice.get("delta")
        kept = {name: value for name, value in said.items() if name not in _SAID} if isinstance(said, dict) else {}
        rest = {name: value for name, value in choice.items() if name not in ("delta", "message", "text")}
        index = choice.get("index")
        return {
            **rest,
            "index": index if isinstance(index, int) else 0,
            "delta": {**kept, **_fields(pieces)},
            "finish_reason": reason,
        }

    def ended(self) -> bytes:
        """Return the end of a choice that came as a whole. Raises Broken if it has none."""
        if self._is_ended:
            return b""
        fields = _fields(list(self._chunks.end()))
        choice = {"index": 0, "delta": fields, "finish_reason": self._chunks.reason}
        return _event({"object": "chat.completion.chunk", "choices": [choice]})


def _event(document: Document) -> bytes:
    return b"data: " + escaped(msgspec.json.encode(document)) + b"\n\n"


def _fields(pieces: list[Piece]) -> Document:
    """Return the fields of a delta, or of a message, that say what the pieces say."""
    found: Document = {}
    calls: dict[int, Document] = {}
    for piece in pieces:
        if isinstance(piece, Said):
            name = "content" if piece.kind == "text" else "reasoning_content"
            found[name] = found.get(name, "") + piece.text
        elif isinstance(piece, Begin):
            function: Document = {"name": piece.name, "arguments": ""}
            # LiteLLM drops what it does not know of a call, but not its id.
            ident = call_id(piece.ident, known=frozenset(), signature=piece.signature)
            calls[piece.key] = {"index": piece.key, "id": ident, "type": "function", "function": function}
        elif isinstance(piece, Arguments):
            called = calls.setdefault(piece.key, {"index": piece.key, "function": {"arguments": ""}})
            called["function"]["arguments"] += piece.text
    if calls:
        found["tool_calls"] = list(calls.values())
    return found


def _asked_for(document: Document, known: Mapping[object, "_Choice"]) -> Iterator[Mapping[str, Any]]:
    """Return the choices of a document that were asked for: the first ones. Nobody waits for the end of others."""
    context = answer_context.get()
    for choice in choices_of(document):
        if context is None or choice.get("index") in known or len(known) < context.choices:
            yield choice


def _completed(documents: list[Document]) -> Any:
    """Return the response at the end of a stream of events."""
    for document in reversed(documents):
        response = document.get("response")
        if isinstance(response, dict) and document.get("type") in ("response.completed", "response.incomplete"):
            return response
    raise Broken("the upstream ended its answer before its end")


def _listen(document: Document) -> None:
    """Record the upstream's own counts."""
    context = answer_context.get()
    if context is not None:
        context.regular = True
        context.usage = counts_of(document) or context.usage
