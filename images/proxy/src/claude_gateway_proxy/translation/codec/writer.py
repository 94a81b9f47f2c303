"""An answer in the Messages format, written event by event: every block closed, in order, none of them interleaved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final
from uuid import uuid4

import msgspec

from claude_gateway_proxy.translation.codec.names import Names, call_id, upstream_id
from claude_gateway_proxy.translation.codec.thoughts import Thought, sign

Json = dict[str, Any]

_STOPS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
}
"""OpenAI's finish reasons; LiteLLM turns every provider's into these."""

_NOTHING: Final = ("{}", '""', "null")
"""Arguments that say nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the request matters for its answer.

    ``thinks``: the client wants thinking blocks, ``shows_thinking``: with the text in them. ``known`` are the ids of
    earlier tool calls; ``stops`` the texts that end the answer, which not every upstream heeds.
    """

    model: str
    names: Names = field(default_factory=Names)
    known: frozenset[str] = frozenset()
    thinks: bool = False
    shows_thinking: bool = True
    stops: tuple[str, ...] = ()


@dataclass(slots=True)
class _Call:
    """A tool call that has not ended. ``arguments`` are all that came, of which ``written`` characters are written."""

    ident: str
    name: str
    arguments: str = ""
    written: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing can follow."""
        try:
            return isinstance(msgspec.json.decode(self.arguments), dict)
        except (msgspec.DecodeError, RecursionError):
            return False


class Writer:
    """Writes one answer; each method gives the events that follow from it.

    OpenAI's servers may send the parts of several calls in turns, Messages knows one open block at a time: the first
    call is streamed, the others wait until it ends, and so does text that comes in between.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._index = -1
        self._open: str | None = None
        self._thought = Thought()
        self._calls: dict[object, _Call] = {}
        self._current: object = None
        self._ids = set(asked.known)
        self._keys: set[object] = set()
        self._later: list[str] = []
        self._held = ""
        self._stopped = False
        self.usage: Json = {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        }
        self.stop_sequence: str | None = None

    def start(self) -> Json:
        """The event that begins every answer."""
        message: Json = {
            "id": f"msg_{uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": self._asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": dict(self.usage),
        }
        return {"type": "message_start", "message": message}

    def thinking(self, text: str) -> Iterator[Json]:
        """A piece of reasoning."""
        if not text or not self._asked.thinks or self._stopped:
            return
        yield from self._flush()
        yield from self._settle()
        if self._calls:
            return
        yield from self._begin_thinking()
        self._thought.text += text
        if self._asked.shows_thinking:
            yield self._delta({"type": "thinking_delta", "thinking": text})

    def thought(self, item: Json) -> Iterator[Json]:
        """A reasoning item of Responses, to be given back with the history."""
        if not self._asked.thinks or self._calls or self._stopped:
            return
        yield from self._flush()
        yield from self._begin_thinking()
        self._thought.items.append(item)

    def text(self, text: str) -> Iterator[Json]:
        """A piece of the answer's text."""
        if text and not self._stopped:
            yield from self._text(self._until_stop(text))

    def _text(self, text: str) -> Iterator[Json]:
        if not text:
            return
        yield from self._settle()
        if self._calls:
            self._later.append(text)
            return
        if self._open != "text":
            yield from self._begin("text", {"type": "text", "text": ""})
        yield self._delta({"type": "text_delta", "text": text})

    def call(self, key: object, *, ident: object, name: str, signature: object = None) -> Iterator[Json]:
        """The beginning of a tool call; ``key`` names it among the calls of this answer."""
        if self._stopped:
            return
        yield from self._flush()
        found = call_id(ident, known=frozenset(self._ids), signature=signature)
        self._ids |= {found, upstream_id(found)}
        yield from self._settle()
        self._keys.add(key)
        self._calls[key] = _Call(ident=found, name=self._asked.names.to_client(name))
        if self._current is None:
            yield from self._open_call(key)

    def is_called(self, key: object) -> bool:
        """Whether a call has begun."""
        return key in self._keys

    def arguments(self, key: object, text: str) -> Iterator[Json]:
        """A piece of a call's arguments; one that is over takes no more."""
        call = self._calls.get(key)
        if not text or call is None:
            return
        if call.written == 0 and call.arguments in _NOTHING:
            # Some servers begin with an empty object and send the real one behind it.
            call.arguments = ""
        call.arguments += text
        if key == self._current:
            yield from self._write_arguments(call)

    def end_call(self, key: object) -> Iterator[Json]:
        """The end of a call, where the upstream says so."""
        if key == self._current:
            yield from self._close()

    def finish(self, reason: str | None) -> Iterator[Json]:
        """The end of an answer, for OpenAI's ``finish_reason``; ``usage`` has the final counts by now."""
        yield from self._flush()
        while self._calls:
            yield from self._close()
        later, self._later = self._later, []
        yield from self._text("".join(later))
        yield from self._close()
        if self._index < 0:
            # Claude Code takes an answer without any block for a broken one.
            yield from self._begin("text", {"type": "text", "text": ""})
            yield from self._close()
        yield {"type": "message_delta", "delta": self._stop(reason), "usage": dict(self.usage)}
        yield {"type": "message_stop"}

    def _stop(self, reason: str | None) -> Json:
        """Servers do not agree on the reason of an answer with calls, so that the calls themselves decide."""
        stop = _STOPS.get(reason or "stop", "end_turn")
        if stop in ("end_turn", "tool_use"):
            stop = "tool_use" if self._keys else "end_turn"
        if self.stop_sequence is not None and (self._stopped or stop == "end_turn"):
            return {"stop_reason": "stop_sequence", "stop_sequence": self.stop_sequence}
        return {"stop_reason": stop, "stop_sequence": None}

    def _until_stop(self, text: str) -> str:
        """The text up to a stop sequence; its end is held back where it may be the beginning of one."""
        text, self._held = self._held + text, ""
        ends = [(at, stop) for stop in self._asked.stops if (at := text.find(stop)) >= 0]
        if ends:
            at, self.stop_sequence = min(ends)
            self._stopped = True
            return text[:at]
        most = max((len(stop) for stop in self._asked.stops), default=1) - 1
        sizes = range(min(most, len(text)), 0, -1)
        held = next((size for size in sizes if any(map(str.startswith, self._asked.stops, repeat(text[-size:])))), 0)
        text, self._held = text[: len(text) - held], text[len(text) - held :]
        return text

    def _flush(self) -> Iterator[Json]:
        """Write what was held back."""
        held, self._held = self._held, ""
        yield from self._text(held)

    def _begin_thinking(self) -> Iterator[Json]:
        if self._open != "thinking":
            yield from self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""})

    def _begin(self, kind: str, block: Json) -> Iterator[Json]:
        yield from self._close()
        self._index += 1
        self._open = kind
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _open_call(self, key: object) -> Iterator[Json]:
        call = self._calls[key]
        yield from self._begin("tool_use", {"type": "tool_use", "id": call.ident, "name": call.name, "input": {}})
        self._current = key
        yield from self._write_arguments(call)

    def _write_arguments(self, call: _Call) -> Iterator[Json]:
        text = call.arguments[call.written :]
        if text and call.arguments not in _NOTHING:
            call.written = len(call.arguments)
            yield self._delta({"type": "input_json_delta", "partial_json": text})

    def _settle(self) -> Iterator[Json]:
        """Close the calls that are complete, because something else has come."""
        while self._current is not None and self._calls[self._current].complete:
            yield from self._close()

    def _close(self) -> Iterator[Json]:
        """Close the open block; behind a call, open the next one that waits."""
        if self._open is None:
            return
        if self._open == "thinking":
            yield self._delta({"type": "signature_delta", "signature": sign(self._thought)})
            self._thought = Thought()
        ended = self._open
        self._open = None
        yield {"type": "content_block_stop", "index": self._index}
        if ended == "tool_use":
            del self._calls[self._current]
            self._current = None
            waiting = next(iter(self._calls), None)
            if waiting is not None:
                yield from self._open_call(waiting)

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def encoded(event: Json) -> bytes:
    """One event as it goes over the wire."""
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), msgspec.json.encode(event))


def assembled(events: Iterable[Json]) -> Json:
    """The message that the events of a whole answer make up."""
    message: Json = {}
    blocks: list[Json] = []
    arguments = ""
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
                arguments = ""
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "input_json_delta":
                    arguments += delta["partial_json"]
                else:
                    part = delta["type"].removesuffix("_delta")
                    blocks[-1][part] += delta[part]
            case "content_block_stop":
                if arguments:
                    blocks[-1]["input"] = _input(arguments)
                    arguments = ""
            case "message_delta":
                message |= {**event["delta"], "usage": event["usage"], "content": blocks}
    return message


def _input(arguments: str) -> Json:
    """The arguments of a call; models write JSON that is broken, which only the caller's own tool can judge."""
    try:
        found = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"arguments": arguments}
    return found if isinstance(found, dict) else {"arguments": found}
