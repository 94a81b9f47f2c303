"""An answer of Chat Completions as events of Messages, whole or chunk by chunk."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.codec.writer import Writer

Json = dict[str, Any]

_REASONING: Final = ("reasoning_content", "reasoning")
"""Where servers put their reasoning; the second is OpenRouter's and newer vLLM's."""


class ChatReader:
    """Reads the chunks of one chat completion."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._reason: str | None = None
        self._slots: dict[object, tuple[int, object]] = {}
        self._calls = 0

    def chunk(self, chunk: Mapping[str, Any]) -> Iterator[Json]:
        """A chunk, or a whole completion."""
        counts = counts_of(chunk.get("usage"))
        if counts is not None:
            self._writer.usage = counts
        for choice in chunk.get("choices") or ():
            said = choice.get("delta") or choice.get("message") or {}
            yield from self._part(said)
            if choice.get("finish_reason"):
                self._reason = str(choice["finish_reason"])
            matched = choice.get("stop_reason")
            if isinstance(matched, str):
                # vLLM says which stop sequence it met.
                self._writer.stop_sequence = matched

    def end(self) -> Iterator[Json]:
        """The end of the answer."""
        yield from self._writer.finish(self._reason)

    def _part(self, said: Mapping[str, Any]) -> Iterator[Json]:
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

    def _call(self, call: Mapping[str, Any], number: int) -> Iterator[Json]:
        """A call or a piece of one. Some servers give every call the number 0: a new id tells that one begins."""
        function, ident = call.get("function") or {}, call.get("id")
        name, index = function.get("name"), call.get("index")
        slot: object = number if index is None else index
        before = self._slots.get(slot)
        if name and (before is None or (ident and ident != before[1])):
            fields = call.get("provider_specific_fields") or function.get("provider_specific_fields") or {}
            signature = fields.get("thought_signature") if isinstance(fields, Mapping) else None
            before = self._slots[slot] = (self._calls, ident)
            self._calls += 1
            yield from self._writer.call(before[0], ident=ident, name=str(name), signature=signature)
        if before is None:
            return
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        yield from self._writer.arguments(before[0], arguments or "")


def counts_of(usage: Any) -> Json | None:
    """Token counts as Messages has them: what was read from or written to a cache is not in ``input_tokens``."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = _count(details, "cached_tokens") if isinstance(details, Mapping) else 0
    cached = cached or _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    sent = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    said = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    return {
        "input_tokens": max(0, sent - cached - written),
        "output_tokens": said,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
    }


def _count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) and value >= 0 else 0
