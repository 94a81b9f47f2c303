"""An answer of OpenAI's Responses as events of Messages, whole or event by event."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.messages.events import Event
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.usage import usage_of

_TEXTS: Final = ("response.output_text.delta", "response.refusal.delta")
_THOUGHTS: Final = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ENDS: Final = ("response.completed", "response.incomplete")


class ResponsesReader:
    """Reads the events of one response; items come one after the other."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reason = "stop"
        self._streamed: set[object] = set()
        self.ended = False

    def event(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Read one event; those that say nothing about the answer yield nothing."""
        kind, place, delta = event.get("type"), event.get("output_index"), event.get("delta")
        if kind == "response.output_item.added":
            yield from self._begun(event.get("item") or {}, place)
        elif kind in _TEXTS and isinstance(delta, str):
            self._streamed.add(place)
            yield from self._writer.text(delta)
        elif kind in _THOUGHTS and isinstance(delta, str):
            yield from self._thinking(delta, place, event.get("summary_index"))
        elif kind == "response.function_call_arguments.delta" and isinstance(delta, str):
            self._streamed.add(place)
            yield from self._writer.arguments(place, delta)
        elif kind == "response.output_item.done":
            yield from self._done(event.get("item") or {}, place)
        elif kind in _ENDS:
            self._end(event.get("response") or {})

    def whole(self, response: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole response."""
        for place, item in enumerate(response.get("output") or ()):
            yield from self._begun(item, place)
            yield from self._done(item, place)
        self._end(response)

    def end(self) -> Iterator[Event]:
        """End the answer."""
        yield from self._writer.finish(self._reason)

    def _begun(self, item: Mapping[str, Any], place: object) -> Iterator[Event]:
        if item.get("type") == "function_call":
            yield from self._writer.call(place, ident=item.get("call_id"), name=str(item.get("name")))

    def _thinking(self, delta: str, place: object, part: object) -> Iterator[Event]:
        """A piece of reasoning; the parts of a summary are paragraphs."""
        if (place, part) not in self._streamed and place in self._streamed:
            yield from self._writer.thinking("\n\n")
        self._streamed |= {place, (place, part)}
        yield from self._writer.thinking(delta)

    def _done(self, item: Mapping[str, Any], place: object) -> Iterator[Event]:
        """An item that is complete; what of it was not streamed is written now."""
        kind, streamed = item.get("type"), place in self._streamed
        if kind == "function_call":
            if not streamed:
                yield from self._writer.arguments(place, str(item.get("arguments") or ""))
            yield from self._writer.end_call(place)
        elif kind == "reasoning":
            if not streamed:
                yield from self._writer.thinking(_reasoning_text(item))
            yield from self._kept(item)
        elif kind == "message" and not streamed:
            for part in item.get("content") or ():
                yield from self._writer.text(str(part.get("text") or part.get("refusal") or ""))

    def _kept(self, item: Mapping[str, Any]) -> Iterator[Event]:
        """What OpenAI wants back of a reasoning item; without its encrypted content it would only refuse it."""
        if item.get("encrypted_content"):
            kept = {"type": "reasoning", "summary": [dict(part) for part in item.get("summary") or ()]}
            yield from self._writer.thought({**kept, "encrypted_content": item["encrypted_content"]})

    def _end(self, response: Mapping[str, Any]) -> None:
        self.ended = True
        counts = usage_of(response.get("usage"))
        if counts is not None:
            self._writer.usage = counts
        if response.get("status") == "incomplete":
            details = response.get("incomplete_details") or {}
            self._reason = "content_filter" if details.get("reason") == "content_filter" else "length"


def _reasoning_text(item: Mapping[str, Any]) -> str:
    texts = (str(part.get("text") or "") for part in item.get("summary") or item.get("content") or ())
    return "\n\n".join(filter(None, texts))
