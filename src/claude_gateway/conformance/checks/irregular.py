"""Complete answers in irregular form, as OpenAI-compatible servers send them: nothing of them is lost."""

import json
from collections.abc import Iterable
from typing import Any, Final

from claude_gateway.conformance import chat, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.dialect import to_other
from claude_gateway.conformance.requirement import Need, Source, expect

_TOOLS: Final = [
    {"name": name, "description": f"The tool {name}", "input_schema": {"type": "object"}} for name in ("Read", "Grep")
]
_STOP: Final = (chat.chunk(finish="stop"), chat.DONE)
_END: Final = (chat.chunk(finish="tool_calls"), chat.DONE)
_SEPARATORS: Final = "a\u2028b\u2029c\u0085d"


def _events(bench: Bench, *pieces: str) -> list[sse.Event]:
    """Return the events of a stream for which the server sends these pieces."""
    bench.script(raw=list(pieces))
    return bench.stream(to_other(bench, tools=_TOOLS), timeout=60)


def _text(bench: Bench, expected: str, *pieces: str) -> str:
    """Return the text of a stream for which the server sends these pieces. Raises Failed if it is not as expected."""
    found = sse.text(_events(bench, *pieces))
    expect(found == expected, f"arrived as {found!r}")
    return found


def _calls(blocks: Iterable[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Return name and input of each tool call among the blocks of an answer."""
    return [(block["name"], block["input"]) for block in blocks if block.get("type") == "tool_use"]


def _streamed_calls(bench: Bench, *pieces: str) -> list[tuple[str, Any]]:
    """Return the tool calls of a stream for which the server sends these pieces, and its end."""
    return _calls(sse.blocks(_events(bench, *pieces, *_END)))


@check(
    "irregular.line-separators",
    "Text with U+2028, U+2029 and U+0085 arrives whole: only CR and LF end a line of a stream",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def line_separators(bench: Bench) -> str:
    return repr(_text(bench, _SEPARATORS, chat.text(_SEPARATORS), *_STOP))


@check(
    "irregular.lines",
    "A byte order mark, CRLF, comments and an event over several `data:` lines lose no chunk",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def lines(bench: Bench) -> str:
    first = "\ufeff" + chat.text("one ").replace("\n", "\r\n")
    head, _, rest = chat.text("two ").partition(", ")
    pieces = [first, ": a comment\n\n", f"{head},\ndata: {rest}", chat.text("three"), chat.chunk(finish="stop")]
    return _text(bench, "one two three", *pieces)


@check(
    "irregular.chunks",
    "Chunks without choices, with `null` or with content in parts neither break a stream nor lose text",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def chunks(bench: Bench) -> str:
    odd = [
        chat.event({"object": "chat.completion.chunk", "choices": None}),
        chat.event({"object": "chat.completion.chunk", "choices": []}),
        chat.event({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": None}]}),
        chat.chunk({"content": None}),
        chat.chunk({"content": [{"type": "text", "text": "two "}]}),
    ]
    return _text(bench, "one two three", chat.text("one "), *odd, chat.text("three"), *_STOP)


@check(
    "irregular.whole-for-stream",
    "A complete answer where a stream was requested is delivered as a stream",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def whole_for_stream(bench: Bench) -> str:
    return _text(bench, "all at once", chat.whole("all at once"))


@check(
    "irregular.calls.one-index",
    "Two tool calls under one index, or without any, are two calls",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def calls_one_index(bench: Bench) -> str:
    expected = [("Read", {"a": 1}), ("Grep", {"b": 2})]
    for index in (0, None):
        first = chat.call('{"a": 1}', index=index, ident="call_1", name="Read")
        second = chat.call('{"b": 2}', index=index, ident="call_2", name="Grep")
        found = _streamed_calls(bench, first, second)
        expect(found == expected, f"with index {index}: {found}")
    return json.dumps(expected)


@check(
    "irregular.calls.repeated",
    "A tool call that is repeated whole at the end comes once",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def calls_repeated(bench: Bench) -> str:
    pieces = [chat.call('{"a": ', ident="call_1", name="Read"), chat.call("1}")]
    found = _streamed_calls(bench, *pieces, chat.call('{"a": 1}', ident="call_1", name="Read"))
    expect(found == [("Read", {"a": 1})], f"{found}")
    return json.dumps(found)


@check(
    "irregular.calls.object",
    "Arguments that are an object instead of text arrive as the call's input, streamed or not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def calls_object(bench: Bench) -> str:
    found = _streamed_calls(bench, chat.call({"a": 1}, ident="call_1", name="Read"))
    expect(found == [("Read", {"a": 1})], f"streamed: {found}")
    made = {"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": {"a": 1}}}
    bench.script(raw=[chat.whole(None, finish="tool_calls", tool_calls=[made])])
    message = bench.answer(to_other(bench, tools=_TOOLS))
    calls = _calls(message["content"])
    expect(calls == [("Read", {"a": 1})], f"not streamed: {calls}")
    return json.dumps(calls)


@check(
    "irregular.refusal",
    "A refusal in a field of its own is not lost",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def refusal(bench: Bench) -> str:
    said = "I cannot help with that."
    bench.script(raw=[chat.whole(None, refusal=said)])
    message = bench.answer(to_other(bench))
    expect(said in text_of(message), f"{message['content']}")
    events = _events(bench, chat.chunk({"refusal": said}), *_STOP)
    expect(said in sse.text(events), f"streamed: {sse.text(events)!r}")
    return f"{message['stop_reason']}, {said}"


CHECKS: Final = (
    line_separators,
    lines,
    chunks,
    whole_for_stream,
    calls_one_index,
    calls_repeated,
    calls_object,
    refusal,
)
