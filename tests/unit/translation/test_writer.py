"""Answers of OpenAI's formats, with all that servers do to them, as events that Anthropic's own SDK takes."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.messages.events import BlockStart, Event, assembled, encoded
from claude_gateway_proxy.translation.messages.options import RequestOptions, Thinking
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import tool_names
from claude_gateway_proxy.translation.responses.answer import ResponsesReader
from claude_gateway_proxy.translation.thinking import Thought, read

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
OPTIONS = RequestOptions(model="m", thinking=Thinking(wanted=True))


def chat(*chunks: dict[str, Any], options: RequestOptions = OPTIONS) -> list[Event]:
    """The events of a chat completion, which ends with "stop" if no chunk says how."""
    if not any(choice.get("finish_reason") for chunk in chunks for choice in chunk.get("choices") or ()):
        chunks = (*chunks, delta(finish="stop"))
    writer = Writer(options)
    reader = ChatReader(writer)
    return [writer.start(), *(event for chunk in chunks for event in reader.chunk(chunk)), *reader.end()]


def delta(*, finish: str | None = None, **said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def call(index: int | None, arguments: Any = None, *, name: str | None = None, ident: str | None = None) -> Any:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": ident, "type": "function", "function": function}


def as_json(value: Any) -> Any:
    """A typed event or message as JSON has it."""
    return json.loads(msgspec.json.encode(value))


def judged(events: Iterable[Event]) -> Any:
    """The message as Anthropic's SDK puts it together; the order of the events is checked on the way."""
    events = list(events)
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    open_block: int | None = None
    expected = 0
    for written in events:
        event = as_json(written)
        text = encoded(written).decode()
        assert text.startswith(f"event: {event['type']}\ndata: ")
        assert text.endswith("\n\n")
        if event["type"] == "content_block_start":
            assert open_block is None
            assert event["index"] == expected
            open_block, expected = expected, expected + 1
        elif event["type"].startswith("content_block"):
            assert event["index"] == open_block
            open_block = open_block if event["type"] == "content_block_delta" else None
        snapshot = accumulate_event(event=EVENT.validate_python(event), current_snapshot=snapshot, json_bufs=buffers)
    assert [as_json(event)["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert open_block is None
    assert expected > 0, "Claude Code takes an answer without any block for a broken one"
    assert snapshot is not None
    return snapshot


def blocks(events: Iterable[Event]) -> list[Any]:
    """What the blocks say, by the SDK and by our own assembly alike."""
    events = list(events)
    message = judged(events)
    mine = as_json(assembled(events))
    found = []
    for block, own in zip(message.content, mine["content"], strict=True):
        said = {"text": "text", "thinking": "thinking", "tool_use": "input"}[block.type]
        assert getattr(block, said) == own[said]
        found.append((block.name, block.input) if block.type == "tool_use" else own[said])
    return [message.stop_reason, *found]


def test_parallel_calls_whose_parts_take_turns() -> None:
    found = chat(
        delta(tool_calls=[call(0, "", name="a", ident="1"), call(1, "", name="b", ident="2")]),
        delta(tool_calls=[call(0, '{"x"')]),
        delta(tool_calls=[call(1, '{"y"')]),
        delta(content="meanwhile"),
        delta(tool_calls=[call(0, ":1}"), call(1, ":2}")]),
        delta(finish="tool_calls"),
    )
    assert blocks(found) == ["tool_use", ("a", {"x": 1}), ("b", {"y": 2}), "meanwhile"]


def test_a_call_that_is_complete_is_not_held_back() -> None:
    writer = Writer(OPTIONS)
    reader = ChatReader(writer)
    list(reader.chunk(delta(tool_calls=[call(0, '{"x":1}', name="a", ident="1")])))
    then = list(reader.chunk(delta(tool_calls=[call(1, '{"y"', name="b", ident="2")])))
    assert [as_json(event)["type"] for event in then] == [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


@pytest.mark.parametrize("beginning", ["", "{}", '""', "null", None])
def test_arguments_that_begin_with_nothing(beginning: str | None) -> None:
    first = delta(tool_calls=[call(0, beginning, name="a", ident="1")])
    assert blocks(chat(first, delta(tool_calls=[call(0, '{"x":1}')]))) == ["tool_use", ("a", {"x": 1})]
    assert blocks(chat(first)) == ["tool_use", ("a", {})]


@pytest.mark.parametrize(
    "parts",
    [
        [call(None, '{"x":1}', name="a", ident="1"), call(None, '{"x":2}', name="a", ident="2")],
        [call(0, '{"x":1}', name="a", ident="1"), call(0, '{"x":2}', name="a", ident="2")],
        [call(0, {"x": 1}, name="a", ident="1"), call(1, {"x": 2}, name="a", ident="1")],
        [call(0, '{"x"', name="a", ident="1"), call(0, ":1}", name="a"), call(1, '{"x":2}', name="a")],
    ],
    ids=["no numbers", "all numbered 0", "objects and one id twice", "names repeated"],
)
def test_calls_that_are_told_apart_by_other_signs(parts: list[Any]) -> None:
    found = chat(*(delta(tool_calls=[part]) for part in parts))
    assert blocks(found) == ["tool_use", ("a", {"x": 1}), ("a", {"x": 2})]
    idents = [as_json(event)["content_block"]["id"] for event in found if isinstance(event, BlockStart)]
    assert len(set(idents)) == 2


def test_a_call_without_a_name_is_a_broken_answer() -> None:
    with pytest.raises(Broken):
        chat(delta(tool_calls=[call(0, '{"x":1}')]))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], ["end_turn", ""]),
        ([delta(content="")], ["end_turn", ""]),
        ([delta(content=None), delta(content="a"), delta()], ["end_turn", "a"]),
        ([delta(reasoning_content="t")], ["end_turn", "t"]),
        ([delta(reasoning="t"), delta(content="a"), delta(finish="stop")], ["end_turn", "t", "a"]),
        ([delta(content="a", finish="length")], ["max_tokens", "a"]),
        ([delta(content="a", finish="content_filter")], ["refusal", "a"]),
        ([delta(refusal="no", finish="stop")], ["end_turn", "no"]),
        ([delta(content="a", finish="tool_calls")], ["end_turn", "a"]),
        ([delta(content="a", finish="new")], ["end_turn", "a"]),
        ([delta(tool_calls=[call(0, "{}", name="a")], finish="stop")], ["tool_use", ("a", {})]),
        ([delta(tool_calls=[call(0, '{"x', name="a")], finish="length")], None),
        ([{"choices": []}, {"usage": None}, {}], ["end_turn", ""]),
        ([delta(function_call={"name": "a", "arguments": "{}"}, finish="function_call")], ["tool_use", ("a", {})]),
    ],
)
def test_odd_answers(chunks: list[dict[str, Any]], expected: list[Any] | None) -> None:
    events = chat(*chunks)
    if expected is None:
        # Cut in the middle of a call: the SDK cannot parse it either, but learns why.
        assert as_json(events[-2])["delta"]["stop_reason"] == "max_tokens"
        assert as_json(assembled(events))["content"][0]["input"] == {"arguments": '{"x'}
        return
    assert blocks(events) == expected


def test_a_stop_sequence_that_the_server_names() -> None:
    chunk = {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop", "stop_reason": "END"}]}
    message = judged(chat(chunk))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize("size", [1, 2, 3, 50])
@pytest.mark.parametrize(
    ("text", "said", "stop"),
    [
        ("yes</end> and more", "yes", "</end>"),
        ("a < b </en c", "a < b </en c", None),
        ("x</endEND", "x", "</end"),
        ("</end>", "", "</end>"),
        ("tail</en", "tail</en", None),
    ],
)
def test_a_stop_sequence_that_the_server_does_not_heed(text: str, said: str, stop: str | None, size: int) -> None:
    stops = ("</end>", "</endEND") if stop != "</end" else ("</end", "END")
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = chat(*(delta(content=piece) for piece in pieces), options=RequestOptions(model="m", stops=stops))
    message = judged(found)
    assert "".join(block.text for block in message.content) == said
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence" if stop else "end_turn", stop)


def test_counts_are_apart() -> None:
    details = {"cached_tokens": 30}
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "prompt_tokens_details": details}
    found = judged(chat(delta(content="a", finish="stop"), {"choices": [], "usage": usage})).usage
    assert (found.input_tokens, found.cache_read_input_tokens, found.output_tokens) == (70, 30, 7)


def test_thinking_is_shown_only_as_asked() -> None:
    chunks = (delta(reasoning_content="because"), delta(content="a"))
    assert blocks(chat(*chunks, options=RequestOptions(model="m"))) == ["end_turn", "a"]
    hidden = chat(*chunks, options=RequestOptions(model="m", thinking=Thinking(wanted=True, shown=False)))
    thought, _ = as_json(assembled(hidden))["content"]
    assert thought["thinking"] == ""
    assert read(thought["signature"]) == Thought(text="because")


def test_names_come_back_as_the_client_has_them() -> None:
    long = "mcp__x__" + "y" * 80
    names = tool_names([long])
    found = chat(
        delta(tool_calls=[call(0, "{}", name=names.to_upstream(long))]), options=RequestOptions(model="m", names=names)
    )
    assert blocks(found) == ["tool_use", (long, {})]


ITEM: dict[str, Any] = {"type": "function_call", "call_id": "c", "name": "a", "arguments": '{"x":1}'}
REASONED: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "first"}, {"type": "summary_text", "text": "second"}],
    "encrypted_content": "e",
}
SAID: dict[str, Any] = {"type": "message", "content": [{"type": "output_text", "text": "hello"}]}


def responses(*events: dict[str, Any], whole: dict[str, Any] | None = None) -> list[Event]:
    """The events of a response, which is completed."""
    if whole is None and not any(event["type"] in ("response.completed", "response.incomplete") for event in events):
        events = (*events, {"type": "response.completed", "response": {}})
    writer = Writer(OPTIONS)
    reader = ResponsesReader(writer)
    found = [event for given in events for event in reader.event(given)]
    found += list(reader.whole(whole)) if whole is not None else []
    return [writer.start(), *found, *reader.end()]


def test_a_response_whole_or_item_by_item() -> None:
    output = [REASONED, SAID, ITEM]
    done = [
        {"type": f"response.output_item.{when}", "output_index": at, "item": item}
        for at, item in enumerate(output)
        for when in ("added", "done")
    ]
    for found in (responses(whole={"output": output}), responses(*done)):
        assert blocks(found) == ["tool_use", "first\n\nsecond", "hello", ("a", {"x": 1})]
        kept = read(as_json(assembled(found))["content"][0]["signature"])
        assert kept is not None
        assert kept.items == [{key: REASONED[key] for key in ("type", "summary", "encrypted_content")}]


def test_a_response_piece_by_piece() -> None:
    found = responses(
        {"type": "response.created", "response": {}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "first"},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "second"},
        {"type": "response.output_item.done", "output_index": 0, "item": REASONED},
        {"type": "response.output_item.added", "output_index": 1, "item": {**ITEM, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"x":'},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "1}"},
        {"type": "response.output_item.done", "output_index": 1, "item": ITEM},
        {"type": "response.refusal.delta", "output_index": 2, "delta": "no"},
        {
            "type": "response.incomplete",
            "response": {
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "usage": {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}},
            },
        },
    )
    assert blocks(found) == ["refusal", "first\n\nsecond", ("a", {"x": 1}), "no"]
    assert as_json(assembled(found))["usage"]["input_tokens"] == 5


TEXT = st.none() | st.text(max_size=4)
CALL = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": st.none() | st.sampled_from(["", "1", "2", "x" * 80, "ü"]),
        "function": st.none()
        | st.fixed_dictionaries(
            {}, optional={"name": st.none() | st.sampled_from(["", "a", "b"]), "arguments": st.none() | st.just("{}")}
        ),
    },
)
PART = st.fixed_dictionaries(
    {},
    optional={"content": TEXT, "reasoning_content": TEXT, "tool_calls": st.none() | st.lists(CALL, max_size=3)},
)
CHUNK = st.builds(
    lambda part, finish: {"choices": [{"delta": part, "finish_reason": finish}]},
    PART,
    st.none() | st.sampled_from(["stop", "length", "tool_calls", "x"]),
)


@given(st.lists(CHUNK, max_size=8))
def test_whatever_a_server_sends_is_an_answer_in_order(chunks: list[dict[str, Any]]) -> None:
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    sent = "".join(delta.get("content") or "" for delta in deltas)
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    try:
        message = judged(chat(*chunks))
    except Broken:
        if all((call.get("function") or {}).get("name") for call in calls):
            assert not sent, "only an answer without text is broken"
            assert any(chunk["choices"][0]["finish_reason"] == "tool_calls" for chunk in chunks), "it promised calls"
        return
    said = "".join(block.text for block in message.content if block.type == "text")
    assert sorted(said) == sorted(sent), "no text is lost"
    assert json.loads(json.dumps(message.to_dict()))["stop_reason"] in ("end_turn", "max_tokens", "tool_use")
