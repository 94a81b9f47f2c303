"""The chunk with a stream's token counts: requested, and left out for a client that did not request it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.wire.stream_counts import HiddenCounts, with_counts

_TEXT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\\"choices\\":[]"}}],"usage":null}\n\n'
_COUNTS = b'data: {"id":"c", "choices" : [ ], "usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n'
_DONE = b"data: [DONE]\n\n"
_KEPT = (
    b'data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n',
    b'data: {"choices":[],"usage":null}\n\n',
    b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"completion_tokens":5}}\n\n',
    b': ping\n\ndata: {"choices":[]\n\n',
    b'event: error\ndata: {"error":{"message":"busy"}}\n\n',
    b'data: {"choices":[],"usage":{"completion_tokens":5}',
)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (None, {"include_usage": True}),
        (b"null", {"include_usage": True}),
        (b'{"include_usage":false}', {"include_usage": True}),
        (b'{"include_obfuscation":false}', {"include_obfuscation": False, "include_usage": True}),
        (b'{"include_usage": true }', None),
        (b"[1]", None),
        (b'"include_usage"', None),
    ],
)
def test_counts_are_requested_beside_what_a_client_requests(options: bytes | None, wanted: object) -> None:
    found = with_counts(options)
    assert (None if found is None else json.loads(found)) == wanted


@given(st.lists(st.integers(0, len(_TEXT + _COUNTS + _DONE)), max_size=8).map(sorted))
def test_the_chunk_with_the_counts_is_left_out_however_the_stream_is_cut(cuts: list[int]) -> None:
    data, hidden = _TEXT + _COUNTS + _DONE, HiddenCounts()
    pieces = [data[start:end] for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True)]
    assert b"".join([*map(hidden.feed, pieces), hidden.rest()]) == _TEXT + _DONE


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\r\r"])
def test_events_may_end_in_other_ways(end: bytes) -> None:
    hidden = HiddenCounts()
    shown = hidden.feed((_TEXT + _COUNTS + _DONE).replace(b"\n\n", end))
    assert shown + hidden.rest() == (_TEXT + _DONE).replace(b"\n\n", end)


@pytest.mark.parametrize("event", _KEPT)
def test_every_other_event_is_passed_on(event: bytes) -> None:
    hidden = HiddenCounts()
    assert b"".join((hidden.feed(_TEXT), hidden.feed(event), hidden.rest())) == _TEXT + event


def test_an_event_is_passed_on_when_it_is_complete_and_a_large_one_before() -> None:
    hidden = HiddenCounts()
    assert hidden.feed(_TEXT + b"data: {") == _TEXT
    assert hidden.feed(b"}\n") == b""
    assert hidden.feed(b"\n") == b"data: {}\n\n"
    large = b'data: {"choices":[{"delta":"' + b"x" * 70_000
    assert hidden.feed(large) == large
    assert hidden.feed(b'"}]}\n\n' + _COUNTS + _DONE) == b'"}]}\n\n' + _DONE
