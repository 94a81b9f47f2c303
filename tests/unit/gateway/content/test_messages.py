"""Requests and answers of every format as OpenTelemetry's conventions for generative AI show them."""

import json
from typing import Any

import pytest
from tests.support.growth import Run, steep

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.content.answers import answers
from claude_gateway_proxy.gateway.content.messages import conversation, instructions
from claude_gateway_proxy.gateway.content.room import Room

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
CALL = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": "a"}}
RESULT = {"type": "tool_call_response", "id": "c1", "response": "found"}
USER = {"role": "user", "parts": [{"type": "text", "content": "look"}]}


def asked(format: Format, **fields: Any) -> tuple[list[Any], list[Any], bool]:
    body = parse(json.dumps({"model": "m", **fields}).encode())
    rooms = Room(10_000), Room(10_000)
    return instructions(body, format, rooms[0]), conversation(body, format, rooms[1]), any(each.cut for each in rooms)


def test_messages() -> None:
    found = asked(
        Format.MESSAGES,
        system=[{"type": "text", "text": "be brief"}],
        messages=[
            {"role": "user", "content": "look"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "a"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "found"},
                    {"type": "image", "source": {"type": "base64", "data": PIXEL}},
                ],
            },
        ],
    )
    assert found == (
        [{"type": "text", "content": "be brief"}],
        [
            USER,
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, CALL]},
            {"role": "user", "parts": [RESULT, {"type": "image"}]},
        ],
        False,
    )


def test_chat() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":"a"}'}}
    found = asked(
        Format.CHAT,
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": PIXEL}]},
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
    )
    assert found == (
        [],
        [
            {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
            {"role": "user", "parts": [*USER["parts"], {"type": "image_url"}]},
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, CALL]},
            {"role": "tool", "parts": [RESULT]},
        ],
        False,
    )


def test_responses() -> None:
    found = asked(
        Format.RESPONSES,
        instructions="be brief",
        input=[
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "look", "arguments": '{"at":"a"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "found"},
        ],
    )
    assert found == (
        [{"type": "text", "content": "be brief"}],
        [
            USER,
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
            {"role": "assistant", "parts": [CALL]},
            {"role": "tool", "parts": [RESULT]},
        ],
        False,
    )


@pytest.mark.parametrize(
    ("format", "field"), [(Format.RESPONSES, "input"), (Format.COMPLETIONS, "prompt"), (Format.MESSAGES, "messages")]
)
def test_a_plain_text_is_what_a_user_says(format: Format, field: str) -> None:
    assert asked(format, **{field: "look"}) == ([], [USER], False)


@pytest.mark.parametrize(
    "odd", [None, 1, {}, [], [None], [[]], [{"role": 1, "content": 2}], [{"content": [{"type": 3}, 4]}], "\ud800"]
)
@pytest.mark.parametrize("format", [Format.MESSAGES, Format.CHAT, Format.RESPONSES, Format.COMPLETIONS])
def test_what_is_no_conversation_is_read_without_an_error(format: Format, odd: Any) -> None:
    asked(format, messages=odd, input=odd, prompt=odd, system=odd, instructions=odd)


def events(*documents: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in documents)


def said(body: bytes) -> list[Any]:
    room = Room(10_000)
    found = answers(body, room)
    assert not room.cut
    return found


BLOCKS = (
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "let me "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look"}},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"at":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"a"}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
)
SAID = [
    {
        "role": "assistant",
        "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "let me look"}, CALL],
        "finish_reason": "tool_call",
    }
]


def test_an_answer_of_messages() -> None:
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "let me look"},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "a"}},
    ]
    whole = {"type": "message", "content": content, "stop_reason": "tool_use"}
    assert said(json.dumps(whole).encode()) == said(events(*BLOCKS)) == SAID


def test_an_answer_of_chat() -> None:
    call = {"id": "c1", "function": {"name": "look", "arguments": '{"at":"a"}'}}
    message = {"role": "assistant", "reasoning_content": "hm", "content": "let me look", "tool_calls": [call]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "reasoning_content": "hm"},
        {"content": "let me "},
        {"content": "look"},
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"at"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ':"a"}'}}]},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    assert said(json.dumps(whole).encode()) == said(events(*chunks, end)) == SAID
    two = said(
        json.dumps({"choices": [{"index": n, "text": str(n), "finish_reason": "stop"} for n in (0, 1)]}).encode()
    )
    assert [each["parts"][0]["content"] for each in two] == ["0", "1"]


def test_an_answer_of_responses() -> None:
    output: list[dict[str, Any]] = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me look"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at":"a"}'},
    ]
    whole = {"object": "response", "status": "completed", "output": output}
    deltas = [
        {"type": "response.output_text.delta", "output_index": 1, "delta": piece} for piece in ("let me ", "look")
    ]
    done = [{"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(output)]
    end = {"type": "response.completed", "response": whole}
    stopped = [{**SAID[0], "finish_reason": "stop"}]
    assert said(json.dumps(whole).encode()) == said(events(*deltas, *done, end)) == stopped
    # A stream that broke off shows what came.
    assert said(events(*deltas))[0]["parts"] == [{"type": "text", "content": "let me look"}]


@pytest.mark.parametrize(
    "odd", [b"", b"{", b"<html>", b"[1]", b'{"choices":[1,{"delta":2,"index":[]}]}', b"data: {\n\n"]
)
def test_what_is_no_answer_shows_nothing(odd: bytes) -> None:
    assert not [part for each in answers(odd, Room(1000)) for part in each["parts"]]


def test_the_newest_messages_are_shown_where_there_is_no_room_for_all() -> None:
    messages = [{"role": "user", "content": f"{number:05} " + "word " * 20} for number in range(1000)]
    body = parse(json.dumps({"model": "m", "messages": messages}).encode())
    room = Room(5000)
    found = conversation(body, Format.MESSAGES, room)
    assert room.cut
    numbers = [int(each["parts"][0]["content"][:5]) for each in found if each["parts"]]
    assert numbers == list(range(numbers[0], 1000))
    assert 10 < len(numbers) < 30
    assert len(json.dumps(found)) < 10_000


def test_a_long_text_is_cut_between_words_and_says_so() -> None:
    room = Room(20)
    assert room.text("one two three four five six") == "one two three four [8 characters cut]"
    assert room.cut
    # Half of a word may be half of a key.
    assert Room(20).text("x" * 30) == "[30 characters cut]"
    assert Room(20).json({"key": "a b" * 20}).endswith("characters cut]")
    assert not Room(20).enter()


def test_many_empty_parts_are_bounded() -> None:
    body = parse(json.dumps({"model": "m", "messages": [{"content": [{"type": "x"}] * 10_000}] * 10}).encode())
    assert len(json.dumps(conversation(body, Format.MESSAGES, Room(10_000)))) < 10_000


def test_the_cost_grows_with_the_size() -> None:
    def asking(size: int) -> Run:
        body = parse(json.dumps({"model": "m", "messages": [{"content": "a" * 50}] * size}).encode())
        return lambda: conversation(body, Format.MESSAGES, Room(1000))

    def answering(size: int) -> Run:
        body = events(*BLOCKS[2:4]) * size
        return lambda: answers(body, Room(1000))

    assert steep(asking) is None
    assert steep(answering) is None
