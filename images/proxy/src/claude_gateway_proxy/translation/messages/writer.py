"""The writer of an answer in the Messages format: every block is closed, blocks come in order and never interleave."""

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from claude_gateway_proxy.translation.messages.calls import OpenCall
from claude_gateway_proxy.translation.messages.events import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    Delta,
    Event,
    InputDelta,
    Message,
    MessageDelta,
    MessageStart,
    MessageStop,
    SignatureDelta,
    Stop,
    StopReason,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolUseBlock,
    Usage,
)
from claude_gateway_proxy.translation.messages.options import RequestOptions
from claude_gateway_proxy.translation.messages.shapes import Document
from claude_gateway_proxy.translation.messages.stops import StopSequences
from claude_gateway_proxy.translation.names import call_id, upstream_id
from claude_gateway_proxy.translation.thinking import Thought, sign

_STOPS: Final[dict[str, StopReason]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}
"""OpenAI's finish reasons."""


class Writer:
    """Writes one answer; each method yields the events that follow from its input.

    OpenAI's servers may interleave the parts of several calls, while Messages has one open block at a time: the first
    call is streamed, the others wait until it ends, and so does text that arrives in between. ``usage`` is set by the
    reader of the answer, as is ``stop_sequence`` where the upstream names the one that it met.
    """

    def __init__(self, options: RequestOptions) -> None:
        self._options = options
        self._index = -1
        self._open: str | None = None
        self._thought = Thought()
        self._calls: dict[object, OpenCall] = {}
        self._current: object = None
        self._ids = set(options.call_ids)
        self._called = False
        self._later: list[str] = []
        self._stops = StopSequences(options.stops)
        self.usage = Usage()
        self.stop_sequence: str | None = None

    @property
    def is_within_text(self) -> bool:
        """Whether a piece of text would be one more delta of the block at ``index``, and nothing else."""
        return self._open == "text" and not self._calls and not self._options.stops

    @property
    def tools(self) -> frozenset[str]:
        """The names of the request's tools, as the upstream knows them."""
        return self._options.tools

    @property
    def index(self) -> int:
        """The place of the last block."""
        return self._index

    def start(self) -> Event:
        """Return the event that begins every answer."""
        return MessageStart(Message(id=f"msg_{uuid4().hex[:24]}", model=self._options.model, usage=self.usage))

    def thinking(self, text: str) -> Iterator[Event]:
        """Write a piece of reasoning."""
        if not text or not self._options.thinking.wanted or self._stops.met:
            return
        yield from self._flush()
        yield from self._settle()
        if self._calls:
            return
        yield from self._begin_thinking()
        self._thought.text += text
        if self._options.thinking.shown:
            yield self._delta(ThinkingDelta(text))

    def thought(self, item: Document) -> Iterator[Event]:
        """Add a reasoning item of Responses, which the client sends back with the history."""
        if not self._options.thinking.wanted or self._calls or self._stops.met:
            return
        yield from self._flush()
        yield from self._begin_thinking()
        self._thought.items.append(dict(item))

    def text(self, text: str) -> Iterator[Event]:
        """Write a piece of the answer's text."""
        if text and not self._stops.met:
            yield from self._text(self._stops.until(text))

    def _text(self, text: str) -> Iterator[Event]:
        if not text:
            return
        yield from self._settle()
        if self._calls:
            self._later.append(text)
            return
        if self._open != "text":
            yield from self._begin("text", TextBlock())
        yield self._delta(TextDelta(text))

    def end_text(self) -> Iterator[Event]:
        """End the block of text, if one is open: what follows is a text of its own."""
        if self._open == "text":
            yield from self._flush()
            yield from self._close()

    def call(self, key: object, *, ident: object, name: str, signature: object = None) -> Iterator[Event]:
        """Begin a tool call; ``key`` identifies it among the calls of this answer."""
        if self._stops.met:
            return
        yield from self._flush()
        found = call_id(ident, known=frozenset(self._ids), signature=signature)
        self._ids |= {found, upstream_id(found)}
        yield from self._settle()
        self._called = True
        schema = self._options.strict.get(name)
        self._calls[key] = OpenCall(ident=found, name=self._options.names.to_client(name), schema=schema)
        if self._current is None:
            yield from self._open_call(key)

    def arguments(self, key: object, text: str) -> Iterator[Event]:
        """Add a piece of a call's arguments; a call that has ended ignores it."""
        call = self._calls.get(key)
        if not text or call is None:
            return
        call.add(text)
        if key == self._current:
            yield from self._write_arguments(call)

    def end_call(self, key: object) -> Iterator[Event]:
        """End a call, if the upstream reports that it is complete."""
        if key == self._current:
            yield from self._close()

    def finish(self, reason: str | None) -> Iterator[Event]:
        """End the answer, for OpenAI's ``finish_reason``; ``usage`` must have the final counts by now."""
        yield from self._flush()
        while self._calls:
            yield from self._close()
        later, self._later = self._later, []
        yield from self._text("".join(later))
        yield from self._close()
        if self._index < 0:
            # Claude Code takes an answer without any block for a broken one.
            yield from self._begin("text", TextBlock())
            yield from self._close()
        yield MessageDelta(self._stop(reason), self.usage)
        yield MessageStop()

    def _stop(self, reason: str | None) -> Stop:
        """Servers disagree on the reason of an answer with calls, so the calls themselves decide."""
        stop = _STOPS.get(reason or "stop", "end_turn")
        if stop in ("end_turn", "tool_use"):
            stop = "tool_use" if self._called else "end_turn"
        sequence = self._stops.met or self.stop_sequence
        if sequence is not None and (self._stops.met or stop == "end_turn"):
            return Stop("stop_sequence", sequence)
        return Stop(stop)

    def _flush(self) -> Iterator[Event]:
        """Write what was held back."""
        yield from self._text(self._stops.rest())

    def _begin_thinking(self) -> Iterator[Event]:
        if self._open != "thinking":
            yield from self._begin("thinking", ThinkingBlock())

    def _begin(self, kind: str, block: Block) -> Iterator[Event]:
        yield from self._close()
        self._index += 1
        self._open = kind
        yield BlockStart(self._index, block)

    def _open_call(self, key: object) -> Iterator[Event]:
        call = self._calls[key]
        yield from self._begin("tool_use", ToolUseBlock(id=call.ident, name=call.name, input={}))
        self._current = key
        yield from self._write_arguments(call)

    def _write_arguments(self, call: OpenCall, *, last: bool = False) -> Iterator[Event]:
        text = call.unwritten(last=last)
        if text:
            yield self._delta(InputDelta(text))

    def _settle(self) -> Iterator[Event]:
        """Close the calls that are complete, because something else has come."""
        while self._current is not None and self._calls[self._current].complete:
            yield from self._close()

    def _close(self) -> Iterator[Event]:
        """Close the open block; behind a call, open the next one that waits."""
        if self._open is None:
            return
        if self._open == "thinking":
            yield self._delta(SignatureDelta(sign(self._thought)))
            self._thought = Thought()
        if self._open == "tool_use":
            yield from self._write_arguments(self._calls[self._current], last=True)
        ended = self._open
        self._open = None
        yield BlockStop(self._index)
        if ended == "tool_use":
            del self._calls[self._current]
            self._current = None
            waiting = next(iter(self._calls), None)
            if waiting is not None:
                yield from self._open_call(waiting)

    def _delta(self, delta: Delta) -> Event:
        return BlockDelta(self._index, delta)
