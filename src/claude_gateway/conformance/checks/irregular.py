"""Complete answers in irregular form, as OpenAI-compatible servers send them: nothing of them is lost."""

import json
from typing import Any, Final

from claude_gateway.conformance import chat, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.dialect import to_other
from claude_gateway.conformance.requirement import Need, Source, expect

_TOOLS: Final = [
    {"name": name, "description": f"The tool {name}", "input_schema": {"type": "object"}} for name in ("Read", "Grep")
]
_END: Final = (chat.chunk(finish="tool_calls"), chat.DONE)
_SEPARATORS: Final = "a\u2028b\u2029c\u0085d"


def _events(bench: Bench, *pieces: str) -> list[sse.Event]:
    """Return the events of a stream for which the server sends these pieces."""
    bench.script(raw=list(pieces))
    return bench.stream(to_other(bench, tools=_TOOLS), timeout=60)


def _calls(events: list[sse.Event]) -> list[tuple[str, Any]]:
    """Return name and input of each tool call of a stream."""
    return [(block["name"], block["input"]) for block in sse.blocks(events) if block.get("type") == "tool_use"]


@check(
    "irregular.line-separators",
    "Text with U+2028, U+2029 and U+0085 arrives whole: only CR and LF end a line of a stream",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def line_separators(bench: Bench) -> str:
    events = _events(bench, chat.text(_SEPARATORS), chat.chunk(finish="stop"), chat.DONE)
    expect(sse.text(events) == _SEPARATORS, f"arrived as {sse.text(events)!r}")
    return repr(sse.text(events))


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
    events = _events(
        bench, first, ": a comment\n\n", f"{head},\ndata: {rest}", chat.text("three"), chat.chunk(finish="stop")
    )
    expect(sse.text(events) == "one two three", f"arrived as {sse.text(events)!r}")
    return sse.text(events)


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
    events = _events(bench, chat.text("one "), *odd, chat.text("three"), chat.chunk(finish="stop"), chat.DONE)
    expect(sse.text(events) == "one two three", f"arrived as {sse.text(events)!r}")
    return sse.text(events)


@check(
    "irregular.whole-for-stream",
    "A complete answer where a stream was requested is delivered as a stream",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def whole_for_stream(bench: Bench) -> str:
    events = _events(bench, chat.whole("all at once"))
    expect(sse.text(events) == "all at once", f"arrived as {sse.text(events)!r}")
    return sse.text(events)


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
        found = _calls(_events(bench, first, second, *_END))
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
    found = _calls(_events(bench, *pieces, chat.call('{"a": 1}', ident="call_1", name="Read"), *_END))
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
    found = _calls(_events(bench, chat.call({"a": 1}, ident="call_1", name="Read"), *_END))
    expect(found == [("Read", {"a": 1})], f"streamed: {found}")
    made = {"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": {"a": 1}}}
    bench.script(raw=[chat.whole(None, finish="tool_calls", tool_calls=[made])])
    message = bench.answer(to_other(bench, tools=_TOOLS))
    calls = [(block["name"], block["input"]) for block in message["content"] if block.get("type") == "tool_use"]
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
    events = _events(bench, chat.chunk({"refusal": said}), chat.chunk(finish="stop"), chat.DONE)
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
