"""Streams: nothing is held back, nothing is lost, silence is filled, and what breaks off does not look whole."""

import json
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import JSON, VERSION, Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.frames import CONTENT_TYPE
from claude_gateway.conformance.requirement import Need, Source, expect, shorten

START: Final = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    '"model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    '{"type":"text","text":""}}\n\n'
)
END: Final = (
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    '"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def delta(text: str) -> str:
    """A text delta as the upstream sends it."""
    return (
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        f'{{"type":"text_delta","text":"{text}"}}}}\n\n'
    )


def _raw(bench: Bench, pieces: list[str], **step: Any) -> Reply:
    """The answer to a stream that the upstream sends in these pieces."""
    bench.script(raw=pieces, **step)
    return bench.messages({**bench.body(), "stream": True}, timeout=bench.options.silence * 2 + 20)


@check("stream.unbuffered", "The first event arrives before the last is sent: nothing is buffered", Need.UPSTREAM)
def unbuffered(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    events = bench.stream(bench.body())
    first = next(event.at for event in events if event.name == "content_block_delta")
    whole = events[-1].at
    expect(whole - first > 1.0, f"text began {first:.2f} s and ended {whole:.2f} s after the request, paced over 2.4 s")
    return f"first text after {first:.2f} s of {whole:.2f} s"


@check("stream.unbuffered.gzip", "Nothing is buffered either where the client accepts compression", Need.UPSTREAM)
def unbuffered_gzip(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    reply = bench.messages({**bench.body(), "stream": True}, headers=samples.HEADERS).expect(200)
    expect(len(reply.pieces) > 2, f"everything came in {len(reply.pieces)} pieces")
    spread = reply.pieces[-1].at - reply.pieces[0].at
    expect(spread > 1.0, f"all came within {spread:.2f} s, paced over 2.4 s")
    return f"{len(reply.pieces)} pieces over {spread:.2f} s, {reply.header('content-encoding') or 'not compressed'}"


@check(
    "stream.plain",
    "Compression is not forced: without `accept-encoding` answers come as they are",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def plain(bench: Bench) -> str:
    bench.script(text="word " * 500)
    whole = bench.messages(bench.body()).expect(200)
    bench.script(text="word " * 500)
    streamed = bench.messages({**bench.body(), "stream": True}).expect(200)
    for reply in (whole, streamed):
        expect(reply.header("content-encoding") in ("", "identity"), f"{reply.header('content-encoding')} unasked")
    return "no content-encoding"


@check("stream.exact", "A Claude model's stream is relayed byte for byte", Need.UPSTREAM, source=Source.PROJECT)
def exact(bench: Bench) -> str:
    # A gateway may answer under the name that the client asked for.
    start = START.replace('"m"', json.dumps(bench.models.claude))
    pieces = [start, delta("a"), 'event: ping\ndata: {"type": "ping"}\n\n', delta("b\\u00e9"), END]
    reply = _raw(bench, pieces).expect(200)
    expect(reply.body == "".join(pieces).encode(), f"arrived as {shorten(reply.body)}")
    return f"{len(reply.body)} bytes"


@check(
    "stream.unknown-events",
    "Events, deltas and fields that nobody knows yet pass, and so do comments",
    Need.UPSTREAM,
)
def unknown_events(bench: Bench) -> str:
    unknown = [
        'event: not_invented_yet\ndata: {"type":"not_invented_yet","x":1}\n\n',
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"new","n":2}}\n\n',
    ]
    reply = _raw(bench, [START, ": a comment\n\n", *unknown, delta("a"), END]).expect(200)
    for event in unknown:
        expect(event.encode() in reply.body, f"{shorten(event)} did not arrive in {shorten(reply.body)}")
    return "an unknown event and an unknown delta arrived"


@check("stream.pings.forwarded", "The upstream's own `ping` events are forwarded", Need.UPSTREAM)
def pings_forwarded(bench: Bench) -> str:
    pings = [event for event in bench.stream(bench.body()) if event.name == "ping"]
    expect(pings, "the upstream's ping did not arrive")
    return f"{len(pings)} ping"


@check(
    "stream.pings.silence",
    "In an upstream's silence the gateway sends `ping` events, so that no client gives up",
    Need.UPSTREAM,
)
def pings_silence(bench: Bench) -> str:
    silence = bench.options.silence
    reply = _raw(bench, [START + delta("a"), delta("b") + END], chunk_delay=silence).expect(200)
    events = sse.of_messages(reply)
    between = _between(events, "a", "b")
    expect("ping" in between, f"no ping in {silence:g} s of silence; between the texts: {between or 'nothing'}")
    expect(sse.text(events) == "ab", f"the text arrived as {sse.text(events)!r}")
    return f"{between.count('ping')} pings in {silence:g} s"


@check(
    "stream.pings.boundaries",
    "Pings come between events only, never inside one that the upstream sent half of",
    Need.UPSTREAM,
)
def pings_boundaries(bench: Bench) -> str:
    event = delta("cut in two")
    pieces = [START + event[:60], event[60:] + END]
    reply = _raw(bench, pieces, chunk_delay=bench.options.silence).expect(200)
    expect(sse.text(sse.of_messages(reply)) == "cut in two", f"arrived as {shorten(reply.body)}")
    return f"whole after {bench.options.silence:g} s in its middle"


@check(
    "stream.error-event",
    "An `error` event in the middle of a stream arrives as the upstream wrote it",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def error_event(bench: Bench) -> str:
    event = (
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded, try later"}}\n\n'
    )
    reply = _raw(bench, [START, delta("a"), event]).expect(200)
    expect(event.encode() in reply.body, f"arrived as {shorten(reply.body)}")
    return "overloaded_error arrived"


@check(
    "stream.broken",
    "A stream that the upstream drops does not look complete: broken off, or ended by an error event",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def broken(bench: Bench) -> str:
    bench.script(midstream="drop", midstream_after=2, text="one two three four", chunk_delay=0.2)
    reply = bench.messages({**bench.body(), "stream": True}).expect(200)
    names = [event.name for event in sse.events(reply.pieces)]
    expect("message_stop" not in names, f"it ends as if it were whole: {names[-3:]}")
    expect(not reply.complete or "error" in names, "it ends cleanly, without message_stop and without an error")
    return "the connection broke" if not reply.complete else "an error event ended it"


@check(
    "stream.content-type",
    "Streams are `text/event-stream`, whole answers `application/json`; neither is anything else",
    source=Source.MEASURED,
)
def content_type(bench: Bench) -> str:
    kinds = [bench.messages({**bench.body(), "stream": flag}).header("content-type") for flag in (False, True)]
    expect(kinds[0].startswith("application/json"), f"a whole answer is {kinds[0]!r}")
    expect(kinds[1].startswith("text/event-stream"), f"a stream is {kinds[1]!r}")
    expect(CONTENT_TYPE not in kinds, "Bedrock's frames where nobody asked for them")
    return ", ".join(kinds)


@check("stream.usage", "`message_start` and `message_delta` carry the upstream's usage", Need.UPSTREAM)
def usage(bench: Bench) -> str:
    bench.script(usage={"input": 1234, "cache_read": 567, "cache_write": 89, "output": 42})
    events = bench.stream(bench.body())
    start = sse.named(events, "message_start")["message"]["usage"]
    found = (start["input_tokens"], start["cache_read_input_tokens"], start["cache_creation_input_tokens"])
    expect(found == (1234, 567, 89), f"message_start has {start}")
    end = sse.named(events, "message_delta")["usage"]
    expect(end.get("output_tokens") == 42, f"message_delta has {end}")
    return "1234 input, 567 read, 89 written, 42 output"


@check(
    "stream.disconnect",
    "When the client leaves, the upstream's stream is ended too: nobody pays for what nobody reads",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def disconnect(bench: Bench) -> str:
    bench.script(chunk_delay=0.5, text="word " * 60)
    left = _leave(bench)
    ended = bench.upstream.wait_disconnected(bench.marker, seconds=10)
    expect(ended, "10 s after the client left, the upstream still streams")
    return f"left after {left} bytes; the upstream's stream ended"


def _leave(bench: Bench) -> int:
    body = json.dumps({**bench.body(), "stream": True}).encode()
    reply = bench.gateway.call(
        "POST",
        "/v1/messages",
        headers=[JSON, VERSION, bench.bearer],
        body=body,
        until=lambda seen: b"content_block_delta" in seen,
    )
    return len(reply.expect(200).body)


def _between(events: list[sse.Event], first: str, last: str) -> list[str]:
    """Names of the events between two text deltas."""
    at = {
        event.json["delta"].get("text"): number
        for number, event in enumerate(events)
        if event.name == "content_block_delta"
    }
    expect(first in at and last in at, f"texts {list(at)} came")
    return [event.name for event in events[at[first] + 1 : at[last]]]


CHECKS: Final = (
    unbuffered,
    unbuffered_gzip,
    plain,
    exact,
    unknown_events,
    pings_forwarded,
    pings_silence,
    pings_boundaries,
    error_event,
    broken,
    content_type,
    usage,
    disconnect,
)
