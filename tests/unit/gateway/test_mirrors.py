"""What is copied, and which tools an answer calls."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import steep

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.mirrors.tool_names import LIMIT, ToolNames

_BLOCK = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
_FUNCTION = {"id": "t", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}
_ITEM = {"type": "function_call", "name": "Bash", "arguments": "{}"}
_WHOLE = [
    {"type": "message", "content": [{"type": "text", "text": '"tool_use"'}, _BLOCK]},
    {"choices": [{"message": {"tool_calls": [_FUNCTION]}}]},
    {"output": [{"type": "message"}, _ITEM, {"type": "custom_tool_call", "name": "Bash"}]},
]
_STREAMS = [
    [{"type": "content_block_start", "index": 0, "content_block": _BLOCK}, {"type": "message_stop"}],
    [{"choices": [{"delta": {"tool_calls": [_FUNCTION]}}]}, {"choices": [{"finish_reason": "tool_calls"}]}],
    [{"type": "response.output_item.done", "item": _ITEM}, {"type": "response.completed"}],
]


def _read(data: bytes, *, events: bool, cut: int = 10**9) -> ToolNames:
    names = ToolNames(Format.MESSAGES, events=events)
    for at in range(0, len(data), cut):
        names.feed(data[at : at + cut])
    names.end()
    return names


@pytest.mark.parametrize("document", _WHOLE)
def test_a_whole_answer_has_these_tools(document: object) -> None:
    found = _read(json.dumps(document).encode(), events=False)
    assert (found.names, found.ended) == (frozenset({"Bash"}), True)


@pytest.mark.parametrize("documents", _STREAMS)
@given(cut=st.integers(1, 60))
def test_a_stream_has_these_tools(documents: list[object], cut: int) -> None:
    lines = [json.dumps(each, separators=(",", ":")).encode() for each in documents]
    found = _read(b"".join(b"event: x\ndata: %s\n\n" % line for line in lines), events=True, cut=cut)
    assert (found.names, found.ended) == (frozenset({"Bash"}), True)


def test_a_stream_without_its_end_has_not_ended() -> None:
    found = _read(b'data: {"type":"message_start"}\n\n', events=True)
    assert (found.names, found.ended) == (frozenset(), False)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"content":7,"choices":[7,{"delta":7,"message":{"tool_calls":[7,{}]}}]}']
)
def test_what_is_no_answer_calls_nothing(body: bytes) -> None:
    assert _read(body, events=False).names == frozenset()


@pytest.mark.parametrize("events", [True, False])
def test_an_answer_that_is_too_large_is_unknown(events: bool) -> None:
    names = ToolNames(Format.CHAT, events=events)
    for _ in range(3):
        names.feed(b"x" * (LIMIT // 2 + 1))
    names.end()
    assert names.names is None


def test_reading_is_linear() -> None:
    line = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    assert steep(lambda size: lambda: _read(line * size, events=True, cut=100)) is None
