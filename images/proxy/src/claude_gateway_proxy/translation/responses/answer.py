"""An answer of OpenAI's Responses as events of Messages, whole or event by event."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.chat.calls import Arguments, Begin, Calls
from claude_gateway_proxy.translation.chat.parts import text_of
from claude_gateway_proxy.translation.decoding import Halves
from claude_gateway_proxy.translation.ends import reason_of
from claude_gateway_proxy.translation.messages.events import Event
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.reports import reported, status_of
from claude_gateway_proxy.translation.usage import usage_of
from claude_gateway_proxy.translation.words import words_of

_TEXTS: Final = ("response.output_text.delta", "response.refusal.delta", "response.text.delta")
_THOUGHTS: Final = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ARGUMENTS: Final = ("response.function_call_arguments.delta", "response.function_call_arguments.done")
_ENDS: Final = ("response.completed", "response.incomplete", "response.done")
_FAILURES: Final = ("response.failed", "response.error", "response.cancelled", "error")

Place = int | str


class ResponsesReader:
    """Reads the events of one response; items come one after the other.

    An item is known by its place in the output, or by its id where a server leaves the place out.
    """

    def __init__(self, writer: Writer) -> None:
        """Write to ``writer``."""
        self._writer = writer
        self._calls = Calls()
        self._keys: dict[Place, int] = {}
        self._halves: dict[bool, Halves] = {True: Halves(), False: Halves()}
        self._reason = "stop"
        self._begun: set[object] = set()
        self._streamed: set[object] = set()
        self._done: set[object] = set()
        self.ended = False

    def event(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Read one event; those that say nothing about the answer yield nothing.

        Raises Broken and Reported where the upstream says that it failed.
        """
        kind, place, delta = event.get("type"), _place(event), event.get("delta")
        item = event.get("item")
        if kind in _TEXTS:
            self._streamed.add(place)
            yield from self._writer.text(self._halves[False].whole(text_of(delta)))
        elif kind in _ARGUMENTS:
            yield from self._arguments(event, place, whole=kind.endswith(".done"))
        elif kind in _THOUGHTS:
            yield from self._thinking(text_of(delta), place, event.get("summary_index"))
        elif kind == "response.output_item.added" and isinstance(item, dict):
            yield from self._begin(item, place)
        elif kind == "response.output_item.done" and isinstance(item, dict):
            yield from self._finish(item, place)
        elif kind in _ENDS:
            response = event.get("response")
            yield from self.whole(response if isinstance(response, dict) else {})
        elif kind in _FAILURES:
            raise failed(event)
        elif event.get("object") == "response" and "output" in event:
            yield from self.whole(event)

    def whole(self, response: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole response, of which nothing comes twice that was streamed before."""
        self._end(response)
        output = response.get("output")
        for number, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict) and not self._is_known(item, number):
                yield from self._begin(item, number)
                yield from self._finish(item, number)

    def end(self) -> Iterator[Event]:
        """End the answer. Raises Broken where the upstream did not."""
        if not self.ended:
            begun = self._begun or self._streamed
            raise Broken(f"the upstream ended its answer before {'its end' if begun else 'it began'}")
        for halves, write in ((self._halves[True], self._writer.thinking), (self._halves[False], self._writer.text)):
            yield from write(halves.rest())
        for piece in list(self._calls.end(cut=self._reason != "stop")):
            yield from self._piece(piece)
        yield from self._writer.finish(self._reason)

    def _is_known(self, item: Mapping[str, Any], number: int) -> bool:
        """Whether an item of the whole response was streamed: servers leave places out, or write new ids."""
        if {number, item.get("id"), item.get("call_id")} & (self._begun | self._done | self._streamed):
            return True
        return item.get("type") == "message" and None in self._streamed

    def _begin(self, item: Mapping[str, Any], place: Place | None) -> Iterator[Event]:
        self._begun |= {each for each in (place, item.get("id"), item.get("call_id")) if isinstance(each, int | str)}
        if item.get("type") == "function_call":
            yield from self._call(item, place, arguments="")

    def _call(self, item: Mapping[str, Any], place: Place | None, *, arguments: object) -> Iterator[Event]:
        key = self._keys.setdefault(place if place is not None else str(item.get("call_id")), len(self._keys))
        function = {"name": item.get("name"), "arguments": arguments}
        for piece in list(self._calls.read({"index": key, "id": item.get("call_id"), "function": function})):
            yield from self._piece(piece)

    def _piece(self, piece: Begin | Arguments) -> Iterator[Event]:
        if isinstance(piece, Begin):
            return self._writer.call(piece.key, ident=piece.ident, name=piece.name)
        return self._writer.arguments(piece.key, piece.text)

    def _arguments(self, event: Mapping[str, Any], place: Place | None, *, whole: bool) -> Iterator[Event]:
        if place is None or (whole and place in self._streamed):
            return
        self._streamed.add(place)
        yield from self._call(event, place, arguments=event.get("arguments" if whole else "delta"))

    def _thinking(self, delta: str, place: Place | None, part: object) -> Iterator[Event]:
        """A piece of reasoning; the parts of a summary are paragraphs."""
        here = (place, part if isinstance(part, int | str) else None)
        if here not in self._streamed and place in self._streamed:
            yield from self._writer.thinking("\n\n")
        self._streamed |= {place, here}
        yield from self._writer.thinking(self._halves[True].whole(delta))

    def _finish(self, item: Mapping[str, Any], place: Place | None) -> Iterator[Event]:
        """An item that is complete; what of it was not streamed is written now."""
        kind, streamed = item.get("type"), place in self._streamed
        self._done |= {each for each in (place, item.get("id"), item.get("call_id")) if isinstance(each, int | str)}
        if kind == "function_call":
            yield from self._call(item, place, arguments=None if streamed else item.get("arguments"))
            key = self._keys[place if place is not None else str(item.get("call_id"))]
            for piece in list(self._calls.finish(key)):
                yield from self._piece(piece)
            yield from self._writer.end_call(key)
        elif kind == "reasoning":
            if not streamed:
                yield from self._writer.thinking(_reasoning_text(item))
            yield from self._kept(item)
        elif kind == "message" and not streamed:
            yield from self._writer.text(Halves().whole(text_of(item.get("content"))))

    def _kept(self, item: Mapping[str, Any]) -> Iterator[Event]:
        """What OpenAI wants back of a reasoning item; without its encrypted content it would only refuse it."""
        if item.get("encrypted_content"):
            summary = item.get("summary")
            parts = [dict(part) for part in summary if isinstance(part, dict)] if isinstance(summary, list) else []
            kept = {"type": "reasoning", "summary": parts}
            yield from self._writer.thought({**kept, "encrypted_content": item["encrypted_content"]})

    def _end(self, response: Mapping[str, Any]) -> None:
        status = response.get("status")
        if status in ("failed", "cancelled"):
            raise failed({"response": response})
        if status in ("queued", "in_progress"):
            raise Broken("the upstream ended its answer before its end")
        self.ended = True
        counts = usage_of(response.get("usage"))
        if counts is not None:
            self._writer.usage = counts
        if status == "incomplete":
            details = response.get("incomplete_details")
            reason = reason_of(details.get("reason")) if isinstance(details, dict) else None
            self._reason = "content_filter" if reason == "content_filter" else "length"


def failed(event: Mapping[str, Any]) -> BadAnswer:
    """Return what an event means that reports a failure, or a response that failed."""
    response = event.get("response")
    inner = response if isinstance(response, dict) else {}
    error = inner.get("error")
    if not error and not event.get("error") and not event.get("message"):
        return Broken(f"the upstream broke its answer off: {text_of(inner.get('status'))[:64] or 'error'}")
    words = words_of(error or event) or "the upstream reported an error without words"
    return reported(event) or Reported(words, status=status_of(event), document=event)


def _place(event: Mapping[str, Any]) -> Place | None:
    place = event.get("output_index", event.get("item_id"))
    return place if isinstance(place, int | str) else None


def _reasoning_text(item: Mapping[str, Any]) -> str:
    for name in ("summary", "content"):
        parts = item.get(name)
        texts = (Halves().whole(text_of(part)) for part in parts) if isinstance(parts, list) else ()
        found = "\n\n".join(filter(None, texts))
        if found:
            return found
    return ""
