"""An answer of OpenAI's Responses as events of Messages, whole or event by event."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.chat.calls import Arguments, Begin, Calls
from claude_gateway_proxy.translation.chat.parts import text_of
from claude_gateway_proxy.translation.decoding import Halves, whole
from claude_gateway_proxy.translation.ends import reason_of
from claude_gateway_proxy.translation.messages.events import Event
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.reports import reported, says_something, status_of
from claude_gateway_proxy.translation.responses.items import CALL, MESSAGE, REASONING, Item, Items
from claude_gateway_proxy.translation.usage import usage_of
from claude_gateway_proxy.translation.words import words_of

_PIECES: Final = {
    **dict.fromkeys(("response.output_text.delta", "response.refusal.delta", "response.text.delta"), MESSAGE),
    **dict.fromkeys(("response.reasoning_summary_text.delta", "response.reasoning_text.delta"), REASONING),
    **dict.fromkeys(("response.reasoning_summary.delta", "response.reasoning.delta"), REASONING),
}
"""Events with a piece of a text. The last two are those of older vLLM and of the Agents' SDK."""

_TEXTS: Final = {
    **dict.fromkeys(("response.output_text.done", "response.text.done"), (MESSAGE, "text")),
    "response.refusal.done": (MESSAGE, "refusal"),
    "response.content_part.done": (MESSAGE, "part"),
    **dict.fromkeys(("response.reasoning_summary_text.done", "response.reasoning_text.done"), (REASONING, "text")),
    **dict.fromkeys(("response.reasoning_summary.done", "response.reasoning.done"), (REASONING, "text")),
    "response.reasoning_summary_part.done": (REASONING, "part"),
}
"""Events with the whole of a text, which some servers send without its pieces, and where it is."""

_ARGUMENTS: Final = {
    "response.function_call_arguments.delta": "delta",
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.delta": "delta",
    "response.custom_tool_call_input.done": "input",
}
_ITEMS: Final = (MESSAGE, REASONING, CALL)
_CUSTOM: Final = "custom_tool_call"
"""The type of a call with plain text instead of arguments."""

_WAITING: Final = frozenset(
    {"local_shell_call", "shell_call", "apply_patch_call", "computer_call", "mcp_approval_request"}
)
"""Types of items that wait for something that a client of Messages cannot do; it never offered to."""

_ENDS: Final = ("response.completed", "response.incomplete", "response.done")
_FAILURES: Final = ("response.failed", "response.error", "response.cancelled", "error")
_PARAGRAPH: Final = "\n\n"
"""What parts the parts of a summary."""


class ResponsesReader:
    """Reads the events of one response. What an event repeats of an earlier one is not written twice."""

    def __init__(self, writer: Writer) -> None:
        """Write to ``writer``."""
        self._writer = writer
        self._calls = Calls(writer.tools)
        self._items = Items()
        self._halves = {MESSAGE: Halves(), REASONING: Halves()}
        self._message: Item | None = None
        self._reason = "stop"
        self._begun = False
        self._unknown = ""
        self.ended = False

    def event(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Read one event; those that say nothing about the answer yield nothing.

        Raises Broken and Reported where the upstream says that it failed.
        """
        name = str(event.get("type"))
        if kind := _PIECES.get(name):
            yield from self._said(self._items.of_piece(event, kind), text_of(event.get("delta")), part=_part(event))
        elif name in _ARGUMENTS:
            yield from self._arguments(event, self._items.of_piece(event, CALL), event.get(_ARGUMENTS[name]))
        elif name in ("response.output_item.added", "response.output_item.done"):
            yield from self._item(event, done=name.endswith("done"))
        elif name in _TEXTS:
            yield from self._whole_text(event, *_TEXTS[name])
        elif name in _ENDS:
            response = event.get("response")
            yield from self.whole(response if isinstance(response, dict) else {})
        elif name in _FAILURES:
            raise failed(event)
        elif "output" in event and (event.get("object") == "response" or "type" not in event):
            yield from self.whole(event)

    def whole(self, response: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole response, of which nothing comes twice that was streamed before."""
        self._end(response)
        output = response.get("output")
        for number, item in enumerate(output if isinstance(output, list) else ()):
            self._begun = True
            known = self._known(item)
            if known is not None:
                yield from self._finish(known, self._items.of_output(known, number))
        text = response.get("output_text")
        if not self._begun and isinstance(text, str) and text:
            self._begun = True
            yield from self._writer.text(Halves().whole(text))

    def end(self) -> Iterator[Event]:
        """End the answer. Raises Broken if the upstream did not, or if the answer is empty."""
        if not self.ended or (not self._begun and self._reason == "stop"):
            raise Broken(f"the upstream ended its answer before {'its end' if self._begun else 'it began'}")
        if self._unknown and self._reason == "stop" and not (self._items.have(MESSAGE) or self._items.have(CALL)):
            raise Broken(f"the upstream answered with nothing but an item of type '{self._unknown}'")
        yield from self._writer.thinking(self._halves[REASONING].rest())
        yield from self._writer.text(self._halves[MESSAGE].rest())
        for piece in list(self._calls.end(cut=self._reason != "stop")):
            yield from self._piece(piece)
        yield from self._writer.finish(self._reason)

    def _said(self, item: Item, text: str, *, part: object = None) -> Iterator[Event]:
        """Write a piece of a text or of reasoning; messages are blocks of their own, parts of a summary paragraphs."""
        self._begun = True
        begins = item.add(part, text)
        text = self._halves[item.kind].whole(text)
        if item.kind == REASONING:
            return self._writer.thinking(_PARAGRAPH + text if begins else text)
        before, self._message = self._message, item
        found = self._writer.text(text)
        return found if before is None or before is item else chain(self._writer.end_text(), found)

    def _whole_text(self, event: Mapping[str, Any], kind: str, name: str) -> Iterator[Event]:
        """Read the whole of a part, of which only what was not streamed is written."""
        value = event.get(name)
        if isinstance(value, dict) and value.get("type") == "reasoning_text":
            kind = REASONING
        item, part = self._items.of_piece(event, kind), _part(event)
        if rest := item.unsaid_of(part, text_of([value])):
            yield from self._said(item, rest, part=part)

    def _item(self, event: Mapping[str, Any], *, done: bool) -> Iterator[Event]:
        self._begun = True
        item = self._known(event.get("item"))
        if item is None:
            return
        found = self._items.of_event(event, item, done=done)
        if done:
            yield from self._finish(item, found)
        elif found.kind == CALL:
            yield from self._call(item, found, arguments="")

    def _known(self, item: object) -> Mapping[str, Any] | None:
        """Return an item that a client of Messages understands; None for what the server did by itself.

        Raises Broken for one that waits for something else of the client.
        """
        if not isinstance(item, dict):
            return None
        kind = item.get("type")
        if kind in _ITEMS:
            return item
        if kind == _CUSTOM:
            return {**item, "type": CALL, "arguments": item.get("input")}
        shown = self._unknown = whole(text_of(kind)[:64])
        if shown in _WAITING:
            raise Broken(f"the upstream asks for an item of type '{shown}', which the request did not offer")
        return None

    def _arguments(self, event: Mapping[str, Any], item: Item, arguments: object) -> Iterator[Event]:
        """Read a piece of a call's arguments, or the whole, of which only what was not streamed is written."""
        self._begun = True
        if "delta" not in event:
            arguments = self._rest(item, arguments)
        if arguments:
            item.add(None, arguments if isinstance(arguments, str) else "")
        yield from self._call(event, item, arguments=arguments)

    def _rest(self, item: Item, arguments: object) -> object:
        if not item.parts:
            return arguments
        return item.unsaid(arguments) if isinstance(arguments, str) else None

    def _call(self, call: Mapping[str, Any], item: Item, *, arguments: object) -> Iterator[Event]:
        function = {"name": call.get("name"), "arguments": arguments}
        for piece in list(self._calls.read({"index": item.number, "id": call.get("call_id"), "function": function})):
            yield from self._piece(piece)

    def _piece(self, piece: Begin | Arguments) -> Iterator[Event]:
        if isinstance(piece, Begin):
            return self._writer.call(piece.key, ident=piece.ident, name=piece.name)
        return self._writer.arguments(piece.key, piece.text)

    def _finish(self, item: Mapping[str, Any], found: Item) -> Iterator[Event]:
        """Read an item that is complete; what of it was not streamed is written now."""
        done, found.done = found.done, True
        if found.kind == CALL:
            if not done:
                yield from self._finish_call(item, found)
            return
        is_message = found.kind == MESSAGE
        whole = text_of(item.get("content")) if is_message else _reasoning_text(item)
        if rest := found.unsaid(whole, "" if is_message else _PARAGRAPH):
            yield from self._said(found, rest, part=next(reversed(found.parts), None))
        if not is_message and not done:
            yield from self._kept(item)

    def _finish_call(self, item: Mapping[str, Any], found: Item) -> Iterator[Event]:
        yield from self._call(item, found, arguments=self._rest(found, item.get("arguments")))
        for piece in list(self._calls.finish(found.number)):
            yield from self._piece(piece)
        yield from self._writer.end_call(self._calls.key(found.number))

    def _kept(self, item: Mapping[str, Any]) -> Iterator[Event]:
        """What OpenAI wants back of a reasoning item; without its encrypted content it would only refuse it."""
        if item.get("encrypted_content"):
            summary = item.get("summary")
            parts = [dict(part) for part in summary if isinstance(part, dict)] if isinstance(summary, list) else []
            kept = {"type": "reasoning", "summary": parts}
            yield from self._writer.thought({**kept, "encrypted_content": item["encrypted_content"]})

    def _end(self, response: Mapping[str, Any]) -> None:
        status = response.get("status")
        if status in ("failed", "cancelled") or says_something(response.get("error")):
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


def _part(event: Mapping[str, Any]) -> object:
    """Return the number of the part that an event belongs to; None if it has none."""
    part = event.get("content_index")
    if part is None:
        part = event.get("summary_index")
    return part if isinstance(part, int) else None


def _reasoning_text(item: Mapping[str, Any]) -> str:
    for name in ("summary", "content"):
        parts = item.get(name)
        texts = map(text_of, parts) if isinstance(parts, list) else ()
        found = _PARAGRAPH.join(filter(None, texts))
        if found:
            return found
    return ""
