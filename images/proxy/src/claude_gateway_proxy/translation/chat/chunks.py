"""What the chunks of one chat completion, or a whole one, say: hardened against what servers make of the format."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.calls import Arguments, Begin, Calls
from claude_gateway_proxy.translation.chat.parts import objects_of, said_of
from claude_gateway_proxy.translation.decoding import Halves, whole
from claude_gateway_proxy.translation.ends import is_reason, reason_of
from claude_gateway_proxy.translation.messages.events import Usage
from claude_gateway_proxy.translation.usage import usage_of

_SIGNATURE: Final = "reasoning.encrypted"
"""The type of OpenRouter's details that hold the signature of a thought."""

_SIGNATURES_MOST: Final = 64
_COUNTS: Final = frozenset({"usage", "x_groq", "usage_metadata", "timings"})
"""Members of a chunk that may hold counts."""

_SAID: Final = ("content", "role")
_MEDIA: Final = ("image_url", "image", "output_image", "input_audio", "audio", "output_audio")
_CUT: Final = ("length", "content_filter")
"""Reasons of an answer that is not all of it."""


class Said(NamedTuple):
    """A piece of text or of reasoning; ``kind`` is "text" or "thinking"."""

    kind: str
    text: str


Piece = Said | Begin | Arguments


class Chunks:
    """Reads one chat completion.

    ``reason`` is OpenAI's word for its end, None before it; ``usage`` are the upstream's own counts;
    ``stop_sequence`` is the one that the upstream says it met; ``has_media``: it sent a picture or sound. A call that
    comes whole in one chunk is passed on with the next one, which may bring the signature of its thought.
    """

    __slots__ = (
        "_calls",
        "_cumulative",
        "_documents",
        "_halves",
        "_held",
        "_index",
        "_is_whole",
        "_signatures",
        "has_media",
        "reason",
        "stop_sequence",
        "usage",
    )

    def __init__(self, tools: frozenset[str] = frozenset()) -> None:
        """Begin before the first chunk; ``tools`` are names that the upstream was sent."""
        self._calls = Calls(tools)
        self._halves = {"text": Halves(), "thinking": Halves()}
        self._cumulative: dict[str, list[str]] = {"text": [], "thinking": []}
        self._held: list[Piece] = []
        self._signatures: list[tuple[object, str]] = []
        self._documents = 0
        self._is_whole = False
        self._index: object = None
        self.has_media = False
        self.reason: str | None = None
        self.stop_sequence: str | None = None
        self.usage: Usage | None = None

    def read(self, document: Mapping[str, Any]) -> Iterator[Piece]:
        """Return the content of a chunk, or of a whole completion. Raises Broken if the upstream reports a failure."""
        self._count(document)
        for choice in choices_of(document):
            if self._is_ours(choice):
                self._documents += 1
                yield from self._choice(choice)

    def text(self, document: Mapping[str, Any]) -> str | None:
        """Return the text of a chunk that is nothing but text, as almost all of a stream are; None for any other.

        A chunk that was read so is not to be read by ``read`` as well.
        """
        choices = document.get("choices")
        if type(choices) is not list or len(choices) != 1 or self._held or not _COUNTS.isdisjoint(document):
            return None
        choice = choices[0]
        if type(choice) is not dict or choice.get("finish_reason") or choice.get("index") != self._index:
            return None
        delta = choice.get("delta")
        if type(delta) is not dict or type(text := delta.get("content")) is not str:
            return None
        for name, value in delta.items():
            if value and name not in _SAID:
                return None
        self._documents += 1
        self._cumulative["text"].append(text)
        return self._halves["text"].whole(text)

    def end(self) -> Iterator[Piece]:
        """Return what was buffered. Raises Broken if the answer or one of its calls has no end."""
        if not self._documents:
            raise Broken("the upstream ended its answer before it began")
        if self.reason is None:
            if not (self._is_whole and self._documents == 1):
                raise Broken("the upstream ended its answer before its end")
            self.reason = "stop"
        if self.reason == "tool_calls" and not (self._calls.begun or any(self._cumulative["text"])):
            # A server's reader of calls lost them.
            raise Broken("the upstream ended its answer before it began")
        for kind, halves in self._halves.items():
            if rest := halves.rest():
                yield Said(kind, rest)
        left = list(self._calls.end(cut=self.reason in _CUT))
        yield from self._released()
        yield from left

    def _is_ours(self, choice: Mapping[str, Any]) -> bool:
        """Whether a choice is the first of the answer: there can be only one in Messages."""
        index = choice.get("index")
        if self._index is None:
            self._index = index
        return index is None or index == self._index or str(index) == str(self._index)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Piece]:
        delta, message = choice.get("delta"), choice.get("message")
        reason = choice.get("finish_reason") or _reason_within(delta)
        if delta and isinstance(delta, dict | str):
            yield from self._message(_fields_of(delta))
        elif isinstance(message, dict | str):
            self._is_whole = True
            yield from self._message(_fields_of(message), last=bool(reason))
        elif isinstance(choice.get("text"), str):
            yield from self._message({"content": choice["text"]})
        if reason:
            found = reason_of(reason)
            # Some proxies end with a reason of their own behind the one of the server.
            self.reason = self.reason if found is None or self.reason in _CUT else found
        matched = choice.get("stop_reason") or choice.get("matched_stop")
        if isinstance(matched, str) and matched and not is_reason(matched):
            # vLLM and SGLang name the stop sequence that they met.
            self.stop_sequence = whole(matched)

    def _message(self, message: Mapping[str, Any], *, last: bool = False) -> Iterator[Piece]:
        """Return what a delta says, or a message. The ``last`` one may repeat what was streamed before it."""
        details = message.get("reasoning_details")
        if isinstance(details, list):
            self._keep_signatures(details)
        self.has_media = self.has_media or _has_media(message)
        said = list(said_of(message))
        if said or message.get("tool_calls"):
            yield from self._released()
        for kind, text in _unsaid(said, self._cumulative) if last and self._documents > 1 else said:
            self._cumulative[kind].append(text)
            if found := self._halves[kind].whole(text):
                yield Said(kind, found)
        calls = message.get("tool_calls")
        if calls:
            yield from self._called(calls)
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            yield from self._called([{"index": 0, "function": legacy}])

    def _called(self, pieces: object) -> Iterator[Piece]:
        """Return the calls of a chunk; those that it holds whole wait for the next chunk."""
        found: list[Piece] = list(self._calls.read(pieces))
        begun = {piece.key for piece in found if isinstance(piece, Begin)}
        whole = {key for key in begun if self._calls.is_complete(key)}
        for piece in found:
            if self._held or (isinstance(piece, Begin | Arguments) and piece.key in whole):
                self._held.append(piece)
            else:
                yield self._signed(piece)

    def _released(self) -> Iterator[Piece]:
        held, self._held = self._held, []
        yield from map(self._signed, held)

    def _signed(self, piece: Piece) -> Piece:
        """Return a piece; the beginning of a call with the signature that came apart from it."""
        if not isinstance(piece, Begin):
            return piece
        for ident, signature in self._signatures:
            self._calls.sign(ident, signature)
        return piece._replace(signature=self._calls.signature(piece.key))

    def _keep_signatures(self, details: list[Any]) -> None:
        for detail in details[:_SIGNATURES_MOST]:
            if isinstance(detail, dict) and detail.get("type") == _SIGNATURE and isinstance(detail.get("data"), str):
                self._signatures.append((detail.get("id"), detail["data"]))
        del self._signatures[_SIGNATURES_MOST:]

    def _count(self, document: Mapping[str, Any]) -> None:
        counts = counts_of(document)
        if counts is not None:
            self.usage = counts


def choices_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the choices of a chunk, or of a whole completion."""
    return objects_of(document.get("choices"))


def _fields_of(message: dict[str, Any] | str) -> dict[str, Any]:
    """Return the fields of a message, or of a piece of one, that may be a text alone."""
    return {"content": message} if isinstance(message, str) else message


def _reason_within(delta: object) -> object:
    return delta.get("finish_reason") if isinstance(delta, dict) else None


def counts_of(document: Mapping[str, Any]) -> Usage | None:
    """Return the upstream's own counts, wherever its vendor puts them."""
    found = usage_of(document.get("usage"))
    if found is not None:
        return found
    first = next(iter(choices_of(document)), None)
    places = [document.get("x_groq"), document.get("usage_metadata"), document.get("timings")]
    if first is not None:
        places += [first.get("usage"), first.get("delta"), first.get("message")]
    for place in places:
        if isinstance(place, dict):
            found = usage_of(place.get("usage")) if "usage" in place else usage_of(place)
            if found is not None:
                return found
    return None


def _has_media(message: Mapping[str, Any]) -> bool:
    """Return whether a message has a picture or sound, which only OpenAI's formats can hold."""
    content = message.get("content")
    kinds = (part.get("type") for part in content if isinstance(part, dict)) if isinstance(content, list) else ()
    return bool(message.get("images") or message.get("audio")) or any(kind in _MEDIA for kind in kinds)


def _unsaid(said: list[tuple[str, str]], before: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Return what of a last message was not streamed before it."""
    streamed = {kind: "".join(texts) for kind, texts in before.items()}
    found: list[tuple[str, str]] = []
    for kind in ("thinking", "text"):
        text = "".join(each for name, each in said if name == kind)
        text = text.removeprefix(streamed[kind]) if streamed[kind] else text
        if text:
            found.append((kind, text))
    return found
