"""The events of a call become a whole message, and token counts."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.growth import steep

from claude_gateway_claude_code.answer import Usage, Whole, frame

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1},
    },
}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "tool_use", "stop_sequence": None},
    "usage": {"output_tokens": 9},
}


def events(*documents: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(document["type"], json.dumps(document).encode()) for document in documents]


def block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    start = {"type": "content_block_start", "index": index, "content_block": opened}
    return [start, *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)]


def whole(*documents: dict[str, Any]) -> dict[str, Any]:
    message = Whole()
    for event in events(START, *documents, END, {"type": "message_stop"}):
        message.add(event)
    found: dict[str, Any] = json.loads(message.message())
    return found


def test_blocks_of_every_kind_are_put_together() -> None:
    citation = {"type": "char_location", "cited_text": "x"}
    found = whole(
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "let me "},
            {"type": "thinking_delta", "thinking": "see"},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        *block(1, {"type": "redacted_thinking", "data": "abc"}),
        *block(
            2,
            {"type": "text", "text": ""},
            {"type": "text_delta", "text": "a"},
            {"type": "citations_delta", "citation": citation},
            {"type": "some_new_delta", "x": 1},
            {"type": "text_delta", "text": "b"},
        ),
        {"type": "ping"},
        *block(
            3,
            {"type": "tool_use", "id": "t", "name": "n", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"a"'},
            {"type": "input_json_delta", "partial_json": ": 1}"},
        ),
        *block(4, {"type": "tool_use", "id": "t2", "name": "n", "input": {}}),
    )
    assert found["content"] == [
        {"type": "thinking", "thinking": "let me see", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "ab", "citations": [citation]},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "n", "input": {}},
    ]
    assert found["stop_reason"] == "tool_use"
    assert found["usage"] == {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 9}


def test_a_call_that_was_cut_off_keeps_what_came() -> None:
    cut = {"type": "input_json_delta", "partial_json": '{"a": "b'}
    found = whole(*block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {}}, cut))
    assert found["content"][0]["input"] == {"INVALID_JSON": '{"a": "b'}


def test_tokens_are_those_of_the_last_events() -> None:
    usage = Usage()
    for event in events(START, END):
        usage.note(event)
    assert usage.counts == {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 9}
    assert (usage.model, usage.stop_reason) == ("m", "tool_use")


def test_an_event_is_framed() -> None:
    assert frame(("ping", b"{}")) == b"event: ping\ndata: {}\n\n"


def test_collecting_takes_linear_time() -> None:
    def collecting(size: int) -> Callable[[], object]:
        deltas: list[dict[str, Any]] = [
            {"type": "text_delta", "text": "x"},
            {"type": "citations_delta", "citation": {}},
        ]
        found = events(START, *block(0, {"type": "text", "text": ""}, *deltas * size))

        def run() -> object:
            message = Whole()
            for event in found:
                message.add(event)
            return message.message()

        return run

    assert steep(collecting) is None
