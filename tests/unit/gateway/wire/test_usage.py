"""Token counts come from the bytes alone, however they are cut, and never from what a model wrote."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.usage import OBJECT_LIMIT, Meter, read

_ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":10,'
    b'"cache_creation_input_tokens":20,"cache_read_input_tokens":30,"output_tokens":1,'
    b'"cache_creation":{"ephemeral_5m_input_tokens":20}}}}\n\n'
    b'event: content_block_delta\ndata: {"delta":{"text":"say \\"usage\\":{\\"output_tokens\\":9999}"}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":40}}\n\n'
)
_CHAT = (
    b'data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n'
    b'data: {"choices":[],"usage": {"prompt_tokens": 50, "completion_tokens": 6, "total_tokens": 56,'
    b' "prompt_tokens_details": {"cached_tokens": 20}}}\n\ndata: [DONE]\n\n'
)
_RESPONSES = (
    b'event: response.created\ndata: {"response":{"usage":null,'
    b'"tools":[{"parameters":{"usage":{"type":"string"}}}]}}\n\n'
    b'event: response.completed\ndata: {"response":{"output":[],"usage":{"input_tokens":7,'
    b'"input_tokens_details":{"cached_tokens":3},"output_tokens":5}}}\n\n'
)


def _record() -> Record:
    return Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0)


def _counts(record: Record) -> tuple[int, int, int, int]:
    return (record.input_tokens, record.output_tokens, record.cache_read_tokens, record.cache_creation_tokens)


def _metered(data: bytes, cuts: list[int]) -> tuple[tuple[int, int, int, int], bool]:
    record = _record()
    meter = Meter(record, events=True)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        meter.feed(data[start:end])
    return _counts(record), meter.failed


@pytest.mark.parametrize(
    ("data", "expected"),
    [(_ANTHROPIC, (10, 40, 30, 20)), (_CHAT, (30, 6, 20, 0)), (_RESPONSES, (4, 5, 3, 0)), (b"", (0, 0, 0, 0))],
)
def test_each_formats_stream_is_understood(data: bytes, expected: tuple[int, int, int, int]) -> None:
    assert _metered(data, []) == (expected, False)
    assert _metered(data, list(range(len(data)))) == (expected, False)


def _all(record: Record) -> tuple[int, ...]:
    more = (record.cache_creation_1h_tokens, record.reasoning_tokens, record.web_searches)
    return (*_counts(record), *more)


_GOLDEN: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[str, ...]]] = [
    (
        "messages with both caches and a search",
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 100,
            "cache_read_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 80},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 40},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            "service_tier": "standard",
        },
        (10, 50, 30, 100, 80, 40, 2),
        ("standard",),
    ),
    (
        "messages in a batch, in the US and fast",
        {"input_tokens": 1, "output_tokens": 2, "service_tier": "batch", "speed": "fast", "inference_geo": "us"},
        (1, 2, 0, 0, 0, 0, 0),
        ("batch", "fast", "us"),
    ),
    (
        "messages that were compacted on the way",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "iterations": [
                {"type": "compaction", "input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 7},
                {"type": "message", "input_tokens": 10, "output_tokens": 5},
            ],
        },
        (110, 25, 7, 0, 0, 0, 0),
        (),
    ),
    (
        "chat of OpenAI",
        {
            "prompt_tokens": 50,
            "completion_tokens": 16,
            "total_tokens": 66,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 10},
        },
        (30, 16, 20, 0, 0, 10, 0),
        (),
    ),
    (
        "chat of xAI, whose thoughts are beside the completion",
        {
            "prompt_tokens": 50,
            "completion_tokens": 6,
            "total_tokens": 156,
            "completion_tokens_details": {"reasoning_tokens": 100},
        },
        (50, 106, 0, 0, 0, 100, 0),
        (),
    ),
    (
        "chat of Gemini, which does not name its thoughts",
        {"prompt_tokens": 50, "completion_tokens": 6, "total_tokens": 156},
        (50, 106, 0, 0, 0, 100, 0),
        (),
    ),
    (
        "chat of DeepSeek",
        {
            "prompt_tokens": 50,
            "completion_tokens": 6,
            "total_tokens": 56,
            "prompt_cache_hit_tokens": 40,
            "prompt_cache_miss_tokens": 10,
        },
        (10, 6, 40, 0, 0, 0, 0),
        (),
    ),
    (
        "chat of Moonshot",
        {"prompt_tokens": 50, "completion_tokens": 6, "cached_tokens": 40},
        (10, 6, 40, 0, 0, 0, 0),
        (),
    ),
    (
        "chat of a LiteLLM proxy, for a Claude",
        {
            "prompt_tokens": 100,
            "completion_tokens": 6,
            "total_tokens": 106,
            "prompt_tokens_details": {
                "cached_tokens": 40,
                "cache_creation_tokens": 50,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
            },
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 50,
        },
        (10, 6, 40, 50, 30, 0, 0),
        (),
    ),
    (
        "chat of OpenRouter",
        {
            "prompt_tokens": 100,
            "completion_tokens": 6,
            "total_tokens": 106,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 50},
        },
        (10, 6, 40, 50, 0, 0, 0),
        (),
    ),
    (
        "chat of Perplexity",
        {"prompt_tokens": 1, "completion_tokens": 2, "num_search_queries": 3},
        (1, 2, 0, 0, 0, 0, 3),
        (),
    ),
    (
        "responses",
        {
            "input_tokens": 75,
            "input_tokens_details": {"cached_tokens": 32},
            "output_tokens": 1186,
            "output_tokens_details": {"reasoning_tokens": 1024},
            "total_tokens": 1261,
        },
        (43, 1186, 32, 0, 0, 1024, 0),
        (),
    ),
    ("embeddings", {"prompt_tokens": 8, "total_tokens": 8}, (8, 0, 0, 0, 0, 0, 0), ()),
    ("embeddings of Voyage", {"total_tokens": 10}, (10, 0, 0, 0, 0, 0, 0), ()),
]


@pytest.mark.parametrize(
    ("usage", "expected", "modes"), [each[1:] for each in _GOLDEN], ids=[each[0] for each in _GOLDEN]
)
def test_the_usage_of_every_format_is_read(
    usage: dict[str, Any], expected: tuple[int, ...], modes: tuple[str, ...]
) -> None:
    whole, streamed = _record(), _record()
    read(whole, json.dumps({"usage": usage}).encode())
    Meter(streamed, events=True).feed(b'data: {"usage":' + json.dumps(usage).encode() + b"}\n\n")
    assert (_all(whole), whole.modes) == (_all(streamed), streamed.modes) == (expected, modes)


def test_the_tier_and_the_searches_of_a_whole_response_are_read() -> None:
    answer = {
        "service_tier": "flex",
        "output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    record = _record()
    read(record, json.dumps(answer).encode())
    assert (record.web_searches, record.modes) == (2, ("flex",))
    record = _record()
    read(record, b'{"output":["web_search_call"],"usage":{"input_tokens":1}}')
    assert (record.web_searches, record.input_tokens) == (0, 1)


@given(st.lists(st.integers(0, 400), max_size=8))
def test_the_searches_of_streamed_responses_are_counted_however_they_are_cut(cuts: list[int]) -> None:
    event = b'event: response.web_search_call.completed\ndata: {"text":"event: response.web_search_call.completed"}\n\n'
    data = b"event: response.created\ndata: {}\n\n" + event * 3
    record = _record()
    meter = Meter(record, events=True, searches=True)
    for start, end in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        meter.feed(data[start:end])
    assert record.web_searches == 3


def test_what_a_tool_says_under_usage_does_not_change_the_price() -> None:
    tool = b'{"parameters":{"properties":{"usage":{"type":"object","service_tier":"batch","speed":"slow"}}}}'
    record = _record()
    meter = Meter(record, events=True, searches=True)
    meter.feed(b'event: response.created\ndata: {"response":{"tools":[%b],"usage":null}}\n\n' % tool)
    meter.feed(b'event: response.completed\ndata: {"response":{"tools":[%b],"usage":{"input_tokens":9}}}\n\n' % tool)
    assert (record.modes, record.input_tokens) == ((), 9)


def test_the_sample_is_the_beginning_and_bounded() -> None:
    meter = Meter(_record(), events=True)
    for _ in range(100):
        meter.feed(b"x" * 1000)
    assert len(b"".join(meter.sample)) == 17_000
    meter = Meter(_record(), events=True)
    meter.feed(b"x" * 10**6)
    assert len(b"".join(meter.sample)) == 16 * 1024


_PIECES = st.sampled_from(
    [
        _ANTHROPIC,
        _CHAT,
        _RESPONSES,
        b'"usage"',
        b'"usage":',
        b'"usage" :\n {',
        b'{"usage":{"input_tokens":3}',
        b'"usage":{"output_tokens":' + b"9" * 30 + b"}",
        b'"usage":{"x":"' + b"y" * OBJECT_LIMIT,
        b'\\"usage\\":{',
        b'"}}',
        b"\n",
        b"\r\nevent: error\r\n",
        b"event: error\ndata: {}\n\n",
        b'data: {"error":{}}\n\n',
        b"\xff",
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=20), max_size=6), st.lists(st.integers(0, 20_000), max_size=12))
def test_the_cuts_do_not_matter(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    assert _metered(data, cuts) == _metered(data, [])


def test_a_line_that_never_ends_takes_no_memory() -> None:
    record = _record()
    meter = Meter(record, events=True)
    for _ in range(1000):
        meter.feed(b'data: {"usage":{"x":"' + b"y" * 4000)
        assert sum(len(part) for part in (meter._carry, meter._tail)) < 2 * OBJECT_LIMIT
    meter.feed(b'"}} {"usage":{"output_tokens":3}}' + b" " * OBJECT_LIMIT)
    assert record.output_tokens == 3


@pytest.mark.parametrize(
    "data",
    [
        b'event: error\ndata: {"type":"error"}\n\n',
        _ANTHROPIC + b"event: error\r\ndata: {}\r\n\r\n",
        b'data: {"x":1}\n\ndata: {"error":{"message":"x"}}\n\n',
        b"event: response.failed\ndata: {}\n\n",
    ],
)
def test_an_error_event_is_seen(data: bytes) -> None:
    assert _metered(data, [])[1]


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"text":"event: error"}\n\n',
        b'event: content_block_delta\ndata: {"t":"\\nevent: error\\n"}\n\n',
        b'data: {"errors":{}}\n\n',
    ],
)
def test_what_a_model_writes_about_errors_is_none(data: bytes) -> None:
    assert not _metered(data, [])[1]


def test_a_whole_answer_is_read_exactly() -> None:
    answer: dict[str, Any] = {
        "content": [{"type": "tool_use", "input": {"usage": {"input_tokens": 999, "output_tokens": 999}}}],
        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3},
    }
    record = _record()
    read(record, json.dumps(answer).encode())
    assert _counts(record) == (1, 2, 3, 0)


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'{"usage":null}', b'{"usage":[1]}', b'{"usage":{"input_tokens":"1"}}', b"\xff"]
)
def test_an_answer_without_usage_counts_nothing(body: bytes) -> None:
    record = _record()
    read(record, body)
    assert _counts(record) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "number", ["9" * 5000, f"-{'9' * 5000}", "1e308", "1e400", "NaN", "-1", "100000001", f"{2**63}"]
)
def test_a_number_that_no_request_has_is_not_counted(number: str) -> None:
    body = f'{{"usage":{{"input_tokens":{number},"output_tokens":{number}}}}}'.encode()
    streamed, whole = _record(), _record()
    Meter(streamed, events=True).feed(b"data: " + body + b"\n\n")
    read(whole, body)
    assert _counts(streamed) == _counts(whole) == (0, 0, 0, 0)


@given(st.dictionaries(st.sampled_from(["input_tokens", "prompt_tokens", "output_tokens"]), st.integers() | st.text()))
def test_odd_counts_never_go_below_zero(usage: dict[str, Any]) -> None:
    record = _record()
    read(record, json.dumps({"usage": usage}).encode())
    assert min(_counts(record)) >= 0
