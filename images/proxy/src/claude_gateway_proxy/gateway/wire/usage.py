"""Token counts and error events, read from the bytes of an answer while they pass by.

A search for ``"usage"`` at the speed of ``memmem``, and a parser only where it hits: within JSON strings quotes are
escaped, so that these seven bytes are always a key, whatever a model writes. The same bytes give the same counts
however they were cut into chunks.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import msgspec

OBJECT_LIMIT: Final = 8 * 1024
"""The most bytes of a usage object; larger ones are skipped."""

_NEEDLE: Final = b'"usage"'
_SPACE: Final = b" \t\r\n"
_OPENING: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_BRACE: Final = ord("{")
_MOST: Final = 100_000_000
"""Tokens that no request has: ten times the longest context of a model. A larger count is the upstream's mistake."""
_ERRORS: Final = (b"event: error", b"event:error", b'data: {"error"', b'data:{"error"', b"event: response.failed")
_ERROR_TAIL: Final = max(map(len, _ERRORS))
_LINE_ENDS: Final = (b"\n", b"\r")
_DECODER: Final = json.JSONDecoder()


_SAMPLE: Final = 16 * 1024
"""Bytes of a stream that are kept, to estimate its tokens if it breaks off."""

_SEARCH: Final = b"\nevent: response.web_search_call.completed"
_TIERS: Final = ("service_tier", "speed", "inference_geo")
"""Fields of a usage object that say how an answer was made, if that has a price of its own."""
_MODE_LIMIT: Final = 16
_READ_NAMES: Final = ("cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_tokens")
_WRITTEN_NAMES: Final = ("cache_write_tokens", "cache_creation_tokens")
_NOTHING: Final[Mapping[str, object]] = {}


class Tokens(Protocol):
    """Where the counts go.

    Input, output, cache reads and cache creation are disjoint: ``input_tokens`` are those not read from nor written to
    a cache. ``cache_creation_1h_tokens`` are those of the creation that are kept for an hour, ``reasoning_tokens``
    those of the output that the model thought with. ``web_searches`` were made by the vendor. ``modes`` are words such
    as ``batch`` or ``fast`` that say how the answer was made.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_creation_tokens: int
    cache_creation_1h_tokens: int
    reasoning_tokens: int
    web_searches: int
    modes: tuple[str, ...]


class _Item(msgspec.Struct):
    type: str = ""


class _Answer(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"{}")
    service_tier: msgspec.Raw = msgspec.Raw(b"null")
    output: msgspec.Raw = msgspec.Raw(b"[]")


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_ITEMS: Final = msgspec.json.Decoder(list[_Item])


class Meter:
    """Reads one answer, streamed or not, in any of the formats.

    ``failed``: a stream has an error event. ``reports`` counts the usage objects. ``sample`` is the beginning of the
    answer, at most twice ``_SAMPLE`` bytes.
    """

    __slots__ = (
        "_carry",
        "_events",
        "_kept",
        "_searched",
        "_searches",
        "_tail",
        "_tokens",
        "failed",
        "reports",
        "sample",
    )

    def __init__(self, tokens: Tokens, *, events: bool, searches: bool = False) -> None:
        """Count in ``tokens``. ``searches``: events of Responses may say that the vendor searched the web."""
        self._tokens = tokens
        self._events = events
        self._searches = searches
        self._carry = b""
        self._tail = b"\n"
        self._searched = b""
        self._kept = 0
        self.failed = False
        self.reports = 0
        self.sample: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes for errors and counts."""
        self.look(chunk)
        self.count(chunk)

    def look(self, chunk: bytes) -> None:
        """Search the next bytes for an error event, before they are sent, because it decides what may be sent."""
        if self._events and not self.failed:
            self._look_for_error(chunk)

    def count(self, chunk: bytes) -> None:
        """Count in the next bytes, which may be sent by then; keeps at most ``OBJECT_LIMIT`` and a few of them."""
        if self._kept < _SAMPLE:
            self.sample.append(chunk[:_SAMPLE])
            self._kept += len(chunk)
        if self._searches:
            self._look_for_searches(chunk)
        data = self._carry + chunk if self._carry else chunk
        if b"}" not in chunk and len(data) < OBJECT_LIMIT and data.startswith(_NEEDLE):
            self._carry = data  # the current object is not complete yet
            return
        read = 0
        at = data.find(_NEEDLE)
        while at >= 0:
            found, read = _object_after(data, at + len(_NEEDLE))
            if found is None:
                if len(data) - at < OBJECT_LIMIT:
                    self._carry = data[at:]
                    return
                found = {}
            if found:
                self.reports += 1
                # Responses repeat the client's tools, whose schemas may say anything under `usage`: only counts, which
                # are never lowered, are taken from them.
                add(self._tokens, found, modes=not self._searches)
            # Parsed bytes are not parsed again: nested objects would cost the square of their depth.
            at = data.find(_NEEDLE, read)
        self._carry = data[max(read, len(data) - len(_NEEDLE) + 1) :]

    def _look_for_searches(self, chunk: bytes) -> None:
        data = self._searched + chunk
        self._tokens.web_searches += data.count(_SEARCH)
        self._searched = data[1 - len(_SEARCH) :]

    def _look_for_error(self, chunk: bytes) -> None:
        data = self._tail + chunk
        for sign in _ERRORS if b"error" in data or b"failed" in data else ():
            at = data.find(sign)
            while at >= 0 and not self.failed:
                self.failed = data[at - 1 : at] in _LINE_ENDS
                at = data.find(sign, at + 1)
        self._tail = data[-_ERROR_TAIL:]


def read(tokens: Tokens, body: bytes) -> None:
    """Read the counts of a whole JSON answer; one that is not JSON has none."""
    try:
        answer = _ANSWER.decode(body)
        found = msgspec.json.decode(answer.usage)
        tier = msgspec.json.decode(answer.service_tier)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(found, dict):
        add(tokens, found if tier is None else {"service_tier": tier, **found})
    if b'"web_search_call"' in bytes(answer.output):
        tokens.web_searches = max(tokens.web_searches, _searches(answer.output))


def _searches(output: msgspec.Raw) -> int:
    try:
        return sum(item.type == "web_search_call" for item in _ITEMS.decode(output))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def add(tokens: Tokens, usage: Mapping[str, object], *, modes: bool = True) -> None:
    """Read one usage object. All formats count up within a stream, so the largest number is the final one.

    OpenAI counts cached tokens within ``prompt_tokens``/``input_tokens`` and names them in the details (those that were
    written to a cache as OpenRouter or LiteLLM does; DeepSeek and Moonshot have names of their own), Anthropic apart
    from ``input_tokens``. Anthropic's ``iterations`` are calls of the model for one answer; the counts do not have
    those that compacted the conversation. Without ``modes``, what it says about how the answer was made is left out.
    """
    details = _details(usage, "prompt_tokens_details", "input_tokens_details")
    within = details is not _NOTHING or "prompt_tokens" in usage
    read = (_count(details, "cached_tokens") if details else 0) or _first(usage, _READ_NAMES)
    written = (_first(details, _WRITTEN_NAMES) if details else 0) or _count(usage, "cache_creation_input_tokens")
    kept = _details(usage, "cache_creation") or _details(details, "cache_creation_token_details")
    hour = 0
    if kept:
        hour = _count(kept, "ephemeral_1h_input_tokens")
        written = max(written, hour + _count(kept, "ephemeral_5m_input_tokens"))
    sent = _count(usage, "prompt_tokens") or _count(usage, "input_tokens")
    output, thought = _output(usage, sent)
    if not sent and not output:
        sent = _count(usage, "total_tokens")  # servers of embeddings may have no other number
    for call in _compactions(usage):
        sent += _count(call, "input_tokens")
        output += _count(call, "output_tokens")
        read += _count(call, "cache_read_input_tokens")
        written += _count(call, "cache_creation_input_tokens")
    tokens.input_tokens = max(tokens.input_tokens, sent - read - written if within else sent)
    tokens.output_tokens = max(tokens.output_tokens, output)
    tokens.cache_read_tokens = max(tokens.cache_read_tokens, read)
    tokens.cache_creation_tokens = max(tokens.cache_creation_tokens, written)
    tokens.cache_creation_1h_tokens = max(tokens.cache_creation_1h_tokens, hour)
    tokens.reasoning_tokens = max(tokens.reasoning_tokens, thought)
    searches = _count(_details(usage, "server_tool_use"), "web_search_requests")
    tokens.web_searches = max(tokens.web_searches, searches or _count(usage, "num_search_queries"))
    words = [word for name in _TIERS if isinstance(word := usage.get(name), str) and len(word) <= _MODE_LIMIT]
    if words and modes:
        tokens.modes = tuple(words)


def _output(usage: Mapping[str, object], sent: int) -> tuple[int, int]:
    """Return all output tokens, and the reasoning tokens among them.

    xAI and Google count reasoning outside of ``completion_tokens`` and within ``total_tokens``, others within both.
    """
    details = _details(usage, "completion_tokens_details", "output_tokens_details")
    thought = (_count(details, "reasoning_tokens") or _count(details, "thinking_tokens")) if details else 0
    output = _count(usage, "completion_tokens") or _count(usage, "output_tokens")
    beside = _count(usage, "total_tokens") - sent - output if sent else 0
    if beside > 0 and "completion_tokens" in usage:
        output += beside
        thought = max(thought, beside)
    return output, min(thought, output)


def _compactions(usage: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    calls = usage.get("iterations")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and call.get("type") == "compaction":
            yield call


def _details(usage: Mapping[str, object], *names: str) -> Mapping[str, object]:
    for name in names:
        found = usage.get(name)
        if isinstance(found, dict):
            return found
    return _NOTHING


def _first(usage: Mapping[str, object], names: tuple[str, ...]) -> int:
    for name in names:
        count = _count(usage, name)
        if count:
            return count
    return 0


def _count(usage: Mapping[str, object], key: str) -> int:
    value = usage.get(key)
    return value if type(value) is int and 0 <= value <= _MOST else 0


def _object_after(data: bytes, at: int) -> tuple[Mapping[str, object] | None, int]:
    """Return the object that follows a key which ends at ``at``, and the end of what was read.

    The object is empty if none follows, and None if it is incomplete.
    """
    end = at + OBJECT_LIMIT - len(_NEEDLE)
    opening = _OPENING.match(data, at, end)
    if opening is None:
        return ({} if data[at:end].strip(_SPACE) else None), at
    start = opening.end()
    if start == min(end, len(data)):
        return None, at
    if data[start] != _BRACE:
        return {}, at
    if data.find(b"}", start, end) < 0:
        # The parser must not read the same bytes again with every further piece.
        return None, start + 1
    found, read = _decode(data[start:end])
    return found, start + read


def _decode(text: bytes) -> tuple[Mapping[str, object] | None, int]:
    try:
        # Latin-1 takes any bytes; only the ASCII keys and numbers matter here.
        found, read = _DECODER.raw_decode(text.decode("latin-1"))
    except json.JSONDecodeError as error:
        return None, error.pos
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        return {}, len(text)
    return (found if isinstance(found, dict) else {}), read
