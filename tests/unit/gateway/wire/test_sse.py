"""Where events end, what a stream begins with, and how we end one."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.errors import stream_stalled
from claude_gateway_proxy.gateway.wire.sse import HOLD_LIMIT, Beginning, Boundary, Opening, Reported
from claude_gateway_proxy.operations import OPERATIONS

_START = b'event: message_start\ndata: {"type":"message_start","message":{}}\n\n'
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_BLOCK = b'event: content_block_start\ndata: {"type":"content_block_start","index":0}\n\n'


def opening(data: bytes) -> Opening | Reported:
    return Beginning().feed(data)


def _chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a != b]


@given(st.lists(st.sampled_from([b"\n", b"\r", b"a", b"data: x", b"\n\n", b"\r\n\r\n"])), st.lists(st.integers(0, 99)))
def test_a_boundary_depends_on_the_bytes_alone(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    boundary = Boundary()
    for chunk in _chunks(data, cuts):
        boundary.feed(chunk)
    assert boundary.clean == (not data or re.search(rb"(\r\n|\n|\r(?!\n))(\r\n|\n|(?<=\r)\r)\Z", data) is not None)


_PARTS = st.sampled_from(
    [
        *(b"event: message_start\n", b"event: ping", b"event: content_block_delta", b"event: error\r\n", b": comment"),
        *(b'data: {"type":"error","error":{"type":"overloaded_error"}}', b"data: {}", b"data: x", b"id: 1"),
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\xff", b""),
    ]
)


@given(st.lists(_PARTS, max_size=14).map(b"".join), st.lists(st.integers(0, 300), max_size=6))
def test_a_judgement_does_not_depend_on_the_cuts(data: bytes, cuts: list[int]) -> None:
    beginning = Beginning()
    verdict: Opening | Reported = Opening.UNDECIDED
    for chunk in _chunks(data, cuts):
        verdict = beginning.feed(chunk)
        if verdict is not Opening.UNDECIDED:
            break
    assert verdict == opening(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _START,
        _START + _PING,
        b": comment\n\n" + _PING,
        _START + _BLOCK[:-1],
        b'event: response.created\ndata: {"type":"response.created"}\n\n',
        _START.replace(b"\n", b"\r\n"),
        _START[:-1] + b"\r\n",
    ],
)
def test_a_prelude_decides_nothing(data: bytes) -> None:
    assert opening(data) is Opening.UNDECIDED


@pytest.mark.parametrize(
    "data",
    [
        _START + _BLOCK,
        (_START + _BLOCK).replace(b"\n", b"\r\n"),
        _START[:-1] + b"\r\n" + _BLOCK[:-1] + b"\r",
        b'data: {"choices":[]}\n\n',
        b"data: [DONE]\n\n",
        b": x" * HOLD_LIMIT,
        b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"no"}}\n\n',
        b'data: {"error":{"message":"bad","type":"invalid_request_error","code":400}}\n\n',
        b'data: {"error":{"message":"blocked by content policy","code":403}}\n\n',
        b'data: {"object":"chat.completion.chunk","error":null,"choices":[{"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"error"}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"{\\"error\\":{\\"code\\":500}}"}}]}\n\n',
        b'data: {"type":"content_block_delta","delta":{"text":"x"},"name":"error"}\n\n',
    ],
)
def test_content_and_faults_of_the_request_are_an_answer(data: bytes) -> None:
    assert opening(data) is Opening.ANSWER


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_START + b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n', 529),
        (b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"x"}}\n\n', 429),
        (b'data: {"error":{"message":"x","type":"server_error","code":null}}\n\n', 500),
        (b'data: {"error":{"message":"x","type":"whatever","code":503}}\n\n', 503),
        (b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"x"}\n\n', 429),
        (b'data: {"error":"out of memory"}\n\n', 500),
        (b'data: { "error": {"message":"x","type":"overloaded_error"}}\n\n', 529),
        (b'data: {"object":"error","message":"out of memory","type":"InternalServerError","code":500}\n\n', 500),
        (
            b'data: {"id":"c","choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502}}\n\n',
            502,
        ),
        (b'data: {"error":{"code":8,"message":"no capacity","status":"RESOURCE_EXHAUSTED"}}\n\n', 429),
        (b'data: {"error":{"message":"something new","type":"new_error"}}\n\n', 500),
        (b'data: [{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]\n\n', 503),
        (b"event: error\ndata: upstream connect error\n\n", 500),
    ],
)
def test_an_error_that_another_target_may_not_have_has_a_status(data: bytes, status: int) -> None:
    found = opening(data)
    assert isinstance(found, Reported)
    assert found.status == status


_LONG = "prompt is too long: 5000 tokens > 4096 maximum"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            _START
            + b'event: error\ndata: {"type":"error","error":{"type":"invalid_request_error","message":"%s"}}\n\n',
            _LONG,
        ),
        (b'data: {"error":{"message":"%s","type":"BadRequestError","code":400}}\n\n', _LONG),
        (b'data: {"error":"%s"}\n\n', _LONG),
        (b'event: error\ndata: {"type":"error","code":"context_length_exceeded","message":"%s"}\n\n', "too much"),
        (
            b'event: response.failed\ndata: {"type":"response.failed","response":{"error":'
            b'{"code":"context_length_exceeded","message":"%s"}}}\n\n',
            "too much",
        ),
    ],
)
def test_a_prompt_that_is_too_long_has_the_upstreams_words(data: bytes, words: str) -> None:
    assert opening(data.replace(b"%s", words.encode())) == Reported(400, words)


def test_a_response_that_failed_has_the_status_of_its_error() -> None:
    said = b'{"type":"response.failed","response":{"error":{"code":"%s","message":"x"}}}'
    for code, found in (
        ("rate_limit_exceeded", Reported(429, "x")),
        ("server_error", Reported(500, "x")),
        ("invalid_prompt", Opening.ANSWER),
    ):
        event = b"event: response.failed\ndata: " + said.replace(b"%s", code.encode()) + b"\n\n"
        assert opening(event) == found


@given(st.binary(max_size=200))
def test_any_beginning_is_judged(data: bytes) -> None:
    assert isinstance(opening(data), Opening | Reported)


@pytest.mark.parametrize("format_", list(Format))
def test_our_error_is_one_whole_event_in_the_callers_format(format_: Format) -> None:
    event = OPERATIONS[format_].error_event(stream_stalled("ns/r", 5), request_id="req_1")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    data = json.loads(event.partition(b"data: ")[2])
    message = data["message"] if format_ is Format.RESPONSES else data["error"]["message"]
    assert "5 s" in message
    if format_ in (Format.MESSAGES, Format.RESPONSES):
        assert event.startswith(b"event: error\n")
        assert data["type"] == "error"
