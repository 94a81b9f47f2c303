"""Code that reads untrusted text is linear: a text that is four times as long costs about four times as much."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pytest
from tests.support import regexes
from tests.support.builders import bundles, objects
from tests.support.builders.objects import world
from tests.support.growth import Run, steep

import claude_gateway.contract
import claude_gateway_auth
import claude_gateway_claude_code
import claude_gateway_proxy
import claude_gateway_runtime
from claude_gateway.contract.target import Format, Wire
from claude_gateway.plan.routes import judges
from claude_gateway_proxy.gateway.batches.items import items
from claude_gateway_proxy.gateway.body.document import parse, readable, splice
from claude_gateway_proxy.gateway.body.estimate import tokens
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.safeguards.request import document
from claude_gateway_proxy.gateway.safeguards.stream import Guarded
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.answer_names import Renaming
from claude_gateway_proxy.gateway.wire.error_events import ErrorEvents, ErrorLines
from claude_gateway_proxy.gateway.wire.framed import FramedSend
from claude_gateway_proxy.gateway.wire.sse import Beginning
from claude_gateway_proxy.gateway.wire.usage import Meter
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.translation.bad_answer import BadAnswer
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.chat.calls import Calls
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_proxy.translation.echoes import without_echoes
from claude_gateway_proxy.translation.messages.options import RequestOptions, Thinking
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.schema.nulls import without_nulls, without_options
from claude_gateway_proxy.translation.words import words_of

PACKAGES: Final = (
    claude_gateway_proxy,
    claude_gateway_auth,
    claude_gateway_claude_code,
    claude_gateway_runtime,
    claude_gateway.contract,
)
HIDDEN: Final = ("claude_gateway_proxy.translation.limits:", "claude_gateway_proxy.litellm.targets:")
"""Modules that use a pattern from a call: to build other patterns, and on a model's name, whose length is bounded."""

FOUND: Final = list(regexes.regexes(*PACKAGES))


def growth(found: regexes.Regex) -> str | None:
    """Return what is wrong with a regex, with the first text that shows it."""
    for name, use in found.uses():
        for shown, text in regexes.attacks(found.pattern):

            def make(size: int, use: Callable[[Any], object] = use, text: Callable[[int], Any] = text) -> Run:
                made = text(size)
                return lambda: use(made)

            problem = steep(make)
            if problem is not None:
                return f"{name} of {shown}: {problem}"
    return None


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.place)
def test_a_regex_is_linear(found: regexes.Regex) -> None:
    assert growth(found) is None


def test_no_regex_hides_within_a_call() -> None:
    assert [place for place in regexes.hidden(*PACKAGES) if not place.startswith(HIDDEN)] == []


@pytest.mark.parametrize("pattern", ["<s>.*?</s>", r"[ \t]+$", r"https?://[^\s?]+\?"])
def test_what_is_not_linear_is_found(pattern: str) -> None:
    assert growth(regexes.Regex("", re.compile(pattern, re.DOTALL), ("search",))) is not None


def body(inner: bytes) -> bytes:
    return b'{"model":"m","max_tokens":5,%s}' % inner


BODIES: Final[dict[str, Callable[[int], bytes]]] = {
    "a long key": lambda size: body(b'"%s":1' % (b"k" * size)),
    "an escaped key": lambda size: body(b'"%s":1' % (rb"\"" * size)),
    "many keys": lambda size: body(b",".join(b'"k%d":1' % number for number in range(size))),
    "keys in capitals": lambda size: body(b",".join(b'"K%d":1' % number for number in range(size))),
    "one key again and again": lambda size: body(b",".join([b'"k":1'] * size)),
    "white space": lambda size: body(b" " * size + b'"k"' + b"\n" * size + b":1"),
    "halves": lambda size: body(b'"k":"%s"' % (rb"\ud83d" * size)),
    "depth": lambda size: body(b'"k":' + b"[" * size + b"]" * size),
    "a long text": lambda size: body(b'"messages":[{"role":"user","content":"%s"}]' % (b"<system-reminder>" * size)),
    "many messages": lambda size: body(b'"messages":[%s]' % b",".join([b'{"role":"user","content":"x"}'] * size)),
    "many tools": lambda size: body(b'"tools":[%s]' % b",".join([b'{"type":"advisor","model":"m"}'] * size)),
    "many models": lambda size: body(b'"models":[%s]' % b",".join([b'"m"'] * size)),
    "digits": lambda size: body(b'"k":%s' % (b"1" * size)),
}


def _read(raw: bytes) -> None:
    try:
        found = parse(raw)
        list(further_models(found))
        document(found, context={}, calls=[])
        splice(found, {"model": b'"x"', "k": None})
        facts = Facts(found)
        assert (facts.images, facts.fetches, facts.tools, facts.thinking, facts.effort) is not None
    except (Failure, msgspec.DecodeError):
        return


@pytest.mark.parametrize("read", [_read, readable, tokens], ids=["body", "readable", "tokens"])
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_read_in_linear_time(kind: str, read: Callable[[bytes], object]) -> None:
    def make(size: int) -> Run:
        raw = BODIES[kind](size)
        return lambda: read(raw)

    assert steep(make, scale=4) is None


BATCHES: Final[dict[str, Callable[[int], bytes]]] = {
    "many requests": lambda size: b",".join(b'{"custom_id":"%d","params":{}}' % number for number in range(size)),
    "one id again and again": lambda size: b",".join([b'{"custom_id":"a","params":{}}'] * size),
    "one key again and again": lambda size: b'{"custom_id":"a"' + b',"params":{}' * size + b"}",
    "no requests": lambda size: b",".join([b"1"] * size),
    "a long id": lambda size: b'{"custom_id":"%s","params":{}}' % (b"a" * size),
    "halves": lambda size: b'{"custom_id":"%s","params":{}}' % (rb"\ud83d" * size),
    "depth": lambda size: b'{"custom_id":"a","params":' + b"[" * size + b"]" * size + b"}",
}


def _batch(raw: bytes) -> None:
    try:
        for _ in items(raw):
            pass
    except Failure:
        return


@pytest.mark.parametrize("kind", BATCHES)
def test_a_batch_is_read_in_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        raw = b'{"requests":[%s]}' % BATCHES[kind](size)
        return lambda: _batch(raw)

    assert steep(make, scale=4) is None


STREAMS: Final[dict[str, Callable[[int], bytes]]] = {
    "objects within objects": lambda size: b'{"usage":' * size,
    "objects without an end": lambda size: b'{"usage":{"a":1,' * size,
    "texts without an end": lambda size: b'"usage":{"' * size,
    "one long event": lambda size: b"data: " + b"x" * size,
    "many events": lambda size: b"data: {}\n\n" * size,
    "comments": lambda size: b": x\n\n" * size,
    "a name that is nested": lambda size: b'data: {"a":{"model":"x"' + b',"b":[{"c":"d"}]' * size,
    "ends of lines": lambda size: b"\r" * size,
    "signs of errors": lambda size: b"event: error" * size,
}
_PIECE: Final = 16
"""Bytes of a chunk: small ones are the worst case for code that keeps what is not complete."""


def _pieces(stream: bytes) -> Iterator[bytes]:
    return (stream[at : at + _PIECE] for at in range(0, len(stream), _PIECE))


def _metered(stream: bytes) -> None:
    meter = Meter(Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0), events=True)
    for piece in _pieces(stream):
        meter.feed(piece)


def _guarded(stream: bytes) -> None:
    pieces = _pieces(stream)

    async def upstream() -> bytes:
        return next(pieces, b"")

    async def verdicts(_: object) -> list[object]:
        return []

    async def read() -> None:
        guarded = Guarded(upstream, b"", member="results", verdicts=verdicts)
        while await guarded.read():
            pass

    asyncio.run(read())


def _framed(stream: bytes) -> None:
    async def send(_: object) -> None:
        return None

    async def run() -> None:
        framed = FramedSend(send, format=Format.MESSAGES)
        await framed(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        )
        for piece in _pieces(stream):
            await framed({"type": "http.response.body", "body": piece, "more_body": True})

    asyncio.run(run())


def _documents(stream: bytes) -> None:
    documents = Documents()
    try:
        for piece in _pieces(stream):
            documents.feed(piece)
        documents.end()
    except BadAnswer:
        return


def _began(stream: bytes) -> None:
    beginning = Beginning()
    for piece in _pieces(stream):
        beginning.feed(piece)


def _cleaned(stream: bytes) -> None:
    events, lines = ErrorEvents(Mask(["sk-ant-0123456789abcdef"])), ErrorLines(Mask(["sk-ant-0123456789abcdef"]))
    for piece in _pieces(stream):
        events.feed(piece, failed=True)
        lines.feed(piece)


def _renamed(stream: bytes) -> None:
    for format in (Format.MESSAGES, Format.CHAT):
        renaming = Renaming(format, "asked")
        for piece in _pieces(stream):
            renaming.feed(piece)


READERS: Final = [_metered, _guarded, _framed, _documents, _began, _cleaned, _renamed]


@pytest.mark.parametrize(
    "read", READERS, ids=["meter", "guard", "frames", "documents", "beginning", "cleaned", "renamed"]
)
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_read_in_linear_time(kind: str, read: Callable[[bytes], object]) -> None:
    def make(size: int) -> Run:
        stream = STREAMS[kind](size)
        return lambda: read(stream)

    assert steep(make, scale=4) is None


def test_judges_are_looked_up_in_linear_time() -> None:
    """Each route names a judge that thousands of patterns could serve."""
    (item,) = world(objects.route(safeguardsModel="a-model-that-no-route-has")).routes

    def make(size: int) -> Run:
        routes = [bundles.route(f"r{number}", models=(f"*-{number}-*", f"m{number}")) for number in range(size)]
        items = [item] * size
        return lambda: list(judges.problems(items, judges.Served(routes, release="default")))

    assert steep(make) is None


def _delta(**said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said}]}


def _call(arguments: str, *, name: str | None = None, index: int = 0) -> dict[str, Any]:
    return _delta(tool_calls=[{"index": index, "function": {"name": name, "arguments": arguments}}])


ANSWERS: Final[dict[str, Callable[[int], list[dict[str, Any]]]]] = {
    "blanks": lambda size: [_delta(content=" ")] * size,
    "a tag that is not closed": lambda size: [_delta(content="<think>"), *[_delta(content="</thin")] * size],
    "arguments": lambda size: [_call('{"a":"', name="x"), *[_call("xx")] * size],
    "arguments without a name": lambda size: [_call('{"a":"'), *[_call("xx")] * size],
    "JSON within JSON": lambda size: [_call('"', name="x"), *[_call("xx")] * size],
    "backslashes": lambda size: [_call('{"a":"', name="x"), *[_call("\\")] * size],
    "text behind an open call": lambda size: [_call("{", name="x"), *[_delta(content="x"), _call("[")] * size],
    "a call that is repeated": lambda size: [
        _call('{"a":"%s"}' % ("x" * size), name="x"),
        *[_call("", name="x")] * size,
    ],
    "calls by turns": lambda size: [_call("[", name="x", index=number % 7) for number in range(size)],
    "halves": lambda size: [_delta(content="\ud83d")] * size,
}


def _read_answer(chunks: list[dict[str, Any]]) -> None:
    reader = ChatReader(Writer(RequestOptions(model="m", thinking=Thinking(wanted=True))))
    try:
        for chunk in chunks:
            for _ in reader.chunk(chunk):
                pass
        for _ in reader.end():
            pass
    except BadAnswer:
        return


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_read_in_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        chunks = ANSWERS[kind](size)
        return lambda: _read_answer(chunks)

    assert steep(make) is None


def test_names_in_pieces_are_compared_with_many_tools_in_linear_time() -> None:
    def make(size: int) -> Run:
        tools = frozenset(f"n{number}" for number in range(size))
        pieces = [{"index": number % 900, "function": {"name": "n"}} for number in range(size)]
        return lambda: list(Calls(tools).read(pieces))

    assert steep(make) is None


def _options(size: int) -> dict[str, Any]:
    return {f"p{number}": {"type": "string"} for number in range(size)}


SCHEMAS: Final[dict[str, Callable[[int], dict[str, Any]]]] = {
    "options": lambda size: {"properties": _options(size), "required": [f"q{number}" for number in range(size)]},
    "references to many alternatives": lambda size: {
        "properties": {name: {"$ref": "#/$defs/a"} for name in _options(size)},
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * size}},
    },
    "alternatives": lambda size: {"anyOf": [{"properties": {"p0": {"type": "string"}}}] * size},
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_nulls_take_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        schema, arguments = SCHEMAS[kind](size), json.dumps(dict.fromkeys(_options(size)))
        return lambda: (without_options(schema), without_nulls(arguments, schema))

    assert steep(make) is None


ECHOES: Final[dict[str, Callable[[int], tuple[str, object]]]] = {
    "a long text": lambda size: ("no " + "ab" * 2000, ["ab" * size]),
    "many texts": lambda size: ("no " + "ab cd " * 600, ["ab, cd"] * size),
    "steps that nearly match": lambda size: ("abcdefghijkl" * 300, ["abcdefghijkl" * 2 + "x"] * size),
}


@pytest.mark.parametrize("kind", ECHOES)
def test_echoes_are_found_in_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        words, request = ECHOES[kind](size)
        return lambda: without_echoes(words, request)

    assert steep(make) is None


ERRORS: Final[dict[str, Callable[[int], str]]] = {
    "braces": lambda size: "{" * size,
    "texts within texts": lambda size: '{"message":"' * size,
    "literals": lambda size: "{'a':" * size,
    "escapes": lambda size: '"' + "\\" * size,
    "lists": lambda size: '{"errors":[' + '{"message":"x"},' * size + "{}]}",
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_is_read_in_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        text = ERRORS[kind](size)
        return lambda: words_of(text)

    assert steep(make, scale=4) is None
