"""Broken, failed and empty answers of a model that is not Claude: none may look like a complete one."""

import json
from collections.abc import Sequence
from typing import Final

from claude_gateway.conformance import chat, sse
from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.dialect import to_other
from claude_gateway.conformance.checks.envelope import error_of
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import Need, Source, expect, shorten

_FAILED: Final = ("error", "abort", "network_error", "insufficient_system_resource", "malformed_function_call")
"""Reasons with which Chat Completions servers end an answer that failed."""
_LENGTH: Final = ("length", "model_length", "model_context_window_exceeded")
"""Reasons with which they end an answer that is cut off for lack of room."""
_HTML: Final = "<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body>busy</body></html>"
_ERROR: Final = {"error": {"message": "The engine is overloaded", "type": "server_error", "code": 503}}
_TOOL: Final = {"name": "Read", "description": "Reads a file", "input_schema": {"type": "object"}}


def _stream(bench: Bench, *pieces: str, pause: float = 0.0) -> Reply:
    """Return the reply to a stream for which the server sends these pieces, with ``pause`` seconds before each."""
    bench.script(raw=list(pieces), chunk_delay=pause)
    return bench.messages({**to_other(bench, tools=[_TOOL]), "stream": True}, timeout=60)


def _whole(bench: Bench, body: str) -> Reply:
    """Return the reply to a request without streaming, to which the server answers with this body and status 200."""
    bench.script(raw=[body])
    return bench.messages(to_other(bench), timeout=60)


def _names(reply: Reply) -> list[str]:
    return [event.name for event in sse.events(reply.pieces)]


def _expect_failure(reply: Reply, *, what: str) -> str:
    """Return how a reply says that there is no complete answer. Raises Failed if it does not."""
    if reply.status != 200:
        expect(reply.status >= 500, f"{what}: {reply}, 5xx was expected")
        return f"{reply.status} {error_of(reply)['type']}"
    names = _names(reply)
    expect(names, f"{what}: 200 and {shorten(reply.body) or 'nothing'}")
    expect("message_stop" not in names, f"{what}: ends as if it were whole, {_reason(reply)}")
    expect("error" in names or not reply.complete, f"{what}: a clean end without message_stop: {names[-3:]}")
    return "an error event" if "error" in names else "broken off"


def _reason(reply: Reply) -> str:
    """Return the reason with which a stream ended."""
    ends = [event.json for event in sse.events(reply.pieces) if event.name == "message_delta"]
    return f"stop_reason {ends[-1]['delta'].get('stop_reason')}" if ends else "without a stop_reason"


def _expect_failures(replies: Sequence[tuple[str, Reply]]) -> str:
    return ", ".join(f"{what}: {_expect_failure(reply, what=what)}" for what, reply in replies)


@check(
    "unfinished.no-end",
    "A stream that ends without a finish reason is broken off, whether or not the server says `[DONE]`",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def no_end(bench: Bench) -> str:
    first, last = chat.text("half a "), chat.text("sent")
    replies = [
        ("without [DONE]", _stream(bench, first, last, pause=0.2)),
        ("with [DONE]", _stream(bench, first, last + chat.DONE, pause=0.2)),
        ("at once", _stream(bench, first, last, chat.DONE)),
    ]
    return _expect_failures(replies)


@check(
    "unfinished.tool-call",
    "A stream that ends inside a tool call gives no call that Claude Code would run",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def tool_call(bench: Bench) -> str:
    reply = _stream(bench, chat.call('{"file_path": "/etc', ident="call_1", name="Read"))
    return _expect_failure(reply, what="half a call")


@check(
    "unfinished.failed",
    "A finish reason that means failure is not `end_turn`, streamed or not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def failed(bench: Bench) -> str:
    found = []
    for reason in _FAILED:
        pieces = [chat.text("half a sent"), chat.chunk(finish=reason), chat.DONE]
        found.append((f"{reason}, streamed", _stream(bench, *pieces)))
        reply = _whole(bench, chat.whole("half a sent", finish=reason))
        expect(reply.status != 200, f"{reason}: {reply}, 5xx was expected")
        found.append((reason, reply))
    return shorten(_expect_failures(found))


@check(
    "unfinished.length",
    "Every finish reason that means length is `max_tokens`, streamed or not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def length(bench: Bench) -> str:
    for reason in _LENGTH:
        events = sse.of_messages(_stream(bench, chat.text("half a sent"), chat.chunk(finish=reason), chat.DONE))
        found = sse.named(events, "message_delta")["delta"]["stop_reason"]
        expect(found == "max_tokens", f"{reason}, streamed: stop_reason {found}")
        message = _whole(bench, chat.whole("half a sent", finish=reason)).expect(200).json
        expect(message.get("stop_reason") == "max_tokens", f"{reason}: stop_reason {message.get('stop_reason')}")
    return ", ".join(_LENGTH)


@check(
    "unfinished.nothing",
    "An answer that holds nothing is an error, not an empty success",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def nothing(bench: Bench) -> str:
    found = [("nothing", _stream(bench, "")), ("[DONE] alone", _stream(bench, chat.DONE))]
    reply = _whole(bench, "")
    expect(reply.status != 200, f"an empty body: {reply}, 5xx was expected")
    return _expect_failures([*found, ("an empty body", reply)])


@check(
    "unfinished.page",
    "An HTML page with status 200 is an error of the upstream",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def page(bench: Bench) -> str:
    reply = _whole(bench, _HTML)
    expect(reply.status != 200, f"not streamed: {reply}, 5xx was expected")
    return _expect_failures([("streamed", _stream(bench, _HTML)), ("not streamed", reply)])


@check(
    "unfinished.error-in-200",
    "An error object in an answer with status 200 is an error, streamed or not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def error_in_200(bench: Bench) -> str:
    reply = _whole(bench, json.dumps(_ERROR))
    expect(reply.status != 200, f"not streamed: {reply}, 5xx was expected")
    streamed = [("streamed", _stream(bench, chat.event(_ERROR))), ("as JSON", _stream(bench, json.dumps(_ERROR)))]
    return _expect_failures([*streamed, ("not streamed", reply)])


@check(
    "unfinished.error-midstream",
    "An error object in the middle of a stream ends it as an error",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def error_midstream(bench: Bench) -> str:
    reply = _stream(bench, chat.text("half a sent"), chat.event(_ERROR), chat.DONE)
    return _expect_failure(reply, what="an error object")


CHECKS: Final = (no_end, tool_call, failed, length, nothing, page, error_in_200, error_midstream)
