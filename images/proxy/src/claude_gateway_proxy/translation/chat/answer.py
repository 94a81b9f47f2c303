"""An answer of Chat Completions as events of Messages, whole or chunk by chunk."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.messages.events import Event
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.usage import usage_of

_REASONING: Final = ("reasoning_content", "reasoning")
"""Where servers put their reasoning; the second is OpenRouter's and newer vLLM's."""


class ChatReader:
    """Reads the chunks of one chat completion."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reason: str | None = None
        self._slots: dict[object, tuple[int, object]] = {}
        self._calls = 0

    def chunk(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """Read a chunk, or a whole completion."""
        counts = usage_of(chunk.get("usage"))
        if counts is not None:
            self._writer.usage = counts
        for choice in chunk.get("choices") or ():
            said = choice.get("delta") or choice.get("message") or {}
            yield from self._part(said)
            if choice.get("finish_reason"):
                self._reason = str(choice["finish_reason"])
            matched = choice.get("stop_reason")
            if isinstance(matched, str):
                # vLLM names the stop sequence that it met.
                self._writer.stop_sequence = matched

    def end(self) -> Iterator[Event]:
        """End the answer."""
        yield from self._writer.finish(self._reason)

    def _part(self, said: Mapping[str, Any]) -> Iterator[Event]:
        for name in _REASONING:
            if isinstance(said.get(name), str) and said[name]:
                yield from self._writer.thinking(said[name])
                break
        for name in ("content", "refusal"):
            if isinstance(said.get(name), str):
                yield from self._writer.text(said[name])
        for number, call in enumerate(said.get("tool_calls") or ()):
            yield from self._call(call, number)
        legacy = said.get("function_call")
        if legacy:
            yield from self._call({"function": legacy}, 0)

    def _call(self, call: Mapping[str, Any], number: int) -> Iterator[Event]:
        """A call or a piece of one. Some servers give every call the number 0: a new id says that one begins."""
        function, ident = call.get("function") or {}, call.get("id")
        name, index = function.get("name"), call.get("index")
        slot: object = number if index is None else index
        before = self._slots.get(slot)
        if name and (before is None or (ident and ident != before[1])):
            before = self._slots[slot] = (self._calls, ident)
            self._calls += 1
            yield from self._writer.call(before[0], ident=ident, name=str(name), signature=_signature(call))
        if before is None:
            return
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        yield from self._writer.arguments(before[0], arguments or "")


def _signature(call: Mapping[str, Any]) -> object:
    """Return the signature of a thought as Google's own endpoint for Chat has it."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    return google.get("thought_signature") if isinstance(google, Mapping) else None
