"""Answers of a Claude in OpenAI's formats: whole and streamed say the same."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.claude_answers import (
    CALL,
    CITED,
    SEARCH,
    TEXT,
    THOUGHT,
    chat_writer,
    documents,
    joined,
    message,
    responses_writer,
    streamed,
    whole,
)

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.client_answer import ChatWriter
from claude_gateway_proxy.translation.claude.reader import Reader
from claude_gateway_proxy.translation.responses.client_answer import ResponsesWriter


@pytest.mark.parametrize(("model", "named"), [(None, "claude-x"), ("fast", "fast")])
@pytest.mark.parametrize("writer", [chat_writer, responses_writer])
def test_an_answer_bears_the_name_that_its_client_asked_for(
    writer: Callable[[], ChatWriter | ResponsesWriter], model: str | None, named: str
) -> None:
    reader = Reader(found := writer(), model=model)
    reader.document(message(TEXT))
    reader.end()
    assert found.document["model"] == named


def test_a_stream_of_chat_adds_up_to_the_whole_completion() -> None:
    answer = message(THOUGHT, TEXT, CALL, {**CALL, "id": "toolu_2", "input": {}}, stop="tool_use")
    completion = whole(chat_writer(), answer)
    said = completion["choices"][0]["message"]
    assert (completion["object"], completion["model"]) == ("chat.completion", "claude-x")
    assert (said["content"], said["reasoning_content"]) == (TEXT["text"], "let me see")
    assert [json.loads(call["function"]["arguments"]) for call in said["tool_calls"]] == [{"city": "Wien"}, {}]
    assert said["reasoning_details"][0]["signature"] == "c2ln"
    found = joined(streamed(chat_writer(), answer))
    assert (found["content"], found["reasoning_content"], found["finish"]) == (TEXT["text"], "let me see", "tool_calls")
    assert [(call["id"], json.loads(call["text"])) for call in found["calls"].values()] == [
        ("toolu_1", {"city": "Wien"}),
        ("toolu_2", {}),
    ]


def test_counts_are_where_openai_has_them() -> None:
    usage = whole(chat_writer(), message(TEXT))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (18, 7, 25)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 5, "cache_write_tokens": 3}
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 2}
    usage = whole(responses_writer(), message(TEXT))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (18, 7, 25)
    assert usage["input_tokens_details"]["cached_tokens"] == 5
    assert usage["output_tokens_details"] == {"reasoning_tokens": 2}
    chunks = streamed(chat_writer(stream_options={"include_usage": True}), message(TEXT))
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 25)
    chunks = streamed(chat_writer(), message(TEXT))
    assert (chunks[-1]["choices"][0]["finish_reason"], chunks[-1]["usage"]["total_tokens"]) == ("stop", 25)


def test_legacy_functions_are_called_as_such() -> None:
    function = {"name": "weather", "parameters": {}}
    completion = whole(chat_writer(functions=[function]), message(CALL, stop="tool_use"))
    choice = completion["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city":"Wien"}'}
    assert "tool_calls" not in choice["message"]
    chunks = streamed(chat_writer(functions=[function]), message(CALL, stop="tool_use"))
    pieces = [chunk["choices"][0]["delta"].get("function_call", {}).get("arguments", "") for chunk in chunks]
    assert json.loads("".join(pieces)) == {"city": "Wien"}


def test_custom_tools_get_their_plain_text() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "patch", "input": {"input": '*** Begin\n"x"'}}
    answer = message(call, stop="tool_use")
    tools = [{"type": "custom", "custom": {"name": "patch"}}]
    (said,) = whole(chat_writer(tools=tools), answer)["choices"][0]["message"]["tool_calls"]
    assert said == {"id": "t1", "type": "custom", "custom": {"name": "patch", "input": '*** Begin\n"x"'}}
    assert joined(streamed(chat_writer(tools=tools), answer))["calls"][0]["text"] == '*** Begin\n"x"'
    (item,) = whole(responses_writer(tools=[{"type": "custom", "name": "patch"}]), answer)["output"]
    assert (item["type"], item["call_id"], item["input"]) == ("custom_tool_call", "t1", '*** Begin\n"x"')


def test_tools_of_the_server_are_no_calls_for_the_client() -> None:
    answer = message(*SEARCH, CITED)
    said = whole(chat_writer(), answer)["choices"][0]["message"]
    assert "tool_calls" not in said
    assert said["annotations"][0]["url_citation"]["url"] == "https://a.example"
    output = whole(responses_writer(), answer)["output"]
    assert [item["type"] for item in output] == ["web_search_call", "message"]
    assert output[0]["action"] == {"type": "search", "query": "q"}
    assert output[1]["content"][0]["annotations"][0]["title"] == "A"
    assert whole(responses_writer(), message(*SEARCH, CITED))["output"][0]["status"] == "completed"
    events = streamed(responses_writer(), answer)
    assert [event["item"]["type"] for event in events if event["type"] == "response.output_item.done"] == [
        "web_search_call",
        "message",
    ]


def test_a_reasoning_item_is_as_openai_has_it() -> None:
    events = streamed(responses_writer(), message(THOUGHT, CALL, stop="tool_use"))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    items = {
        event["type"]: event["item"] for event in reversed(events) if event.get("output_index") == 0 and "item" in event
    }
    assert items["response.output_item.added"]["summary"] == []
    done = items["response.output_item.done"]
    assert done["summary"] == [{"type": "summary_text", "text": "let me see"}]
    assert done["encrypted_content"]
    kinds = [event["type"] for event in events]
    order = [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    places = [kinds.index(f"response.{each}") for each in order]
    assert places == sorted(places)
    assert events[-1]["response"]["output"] == [
        event["item"] for event in events if event["type"] == "response.output_item.done"
    ]


def test_thoughts_that_nobody_wants_to_see_still_come_back() -> None:
    (item,) = whole(responses_writer(reasoning={"effort": "low"}), message(THOUGHT))["output"]
    assert (item["summary"], bool(item["encrypted_content"])) == ([], True)
    (item,) = whole(responses_writer(), message({"type": "redacted_thinking", "data": "eA=="}))["output"]
    assert (item["summary"], bool(item["encrypted_content"])) == ([], True)
    (item,) = whole(responses_writer(), message({**THOUGHT, "signature": ""}))["output"]
    assert "encrypted_content" not in item


def test_a_response_repeats_its_request() -> None:
    found = whole(responses_writer(metadata={"a": "b"}, temperature=0.5, instructions="be kind"), message(TEXT))
    assert (found["metadata"], found["temperature"], found["instructions"]) == ({"a": "b"}, 0.5, "be kind")
    assert (found["object"], found["store"], found["error"], found["tools"]) == ("response", False, None, [])


def test_nothing_is_written_before_the_model_says_something() -> None:
    for writer in (chat_writer(), responses_writer()):
        reader = Reader(writer)
        start, ping, begun, first, *_ = documents(message(TEXT))
        assert [reader.document(each) for each in (start, ping)] == [b"", b""]
        assert (reader.document(begun) + reader.document(first)).count(b"data: ") > 1


def test_halves_of_a_pair_in_two_pieces_are_one_character() -> None:
    high, low = "\ud83d", "\ude00"
    reader = Reader(writer := chat_writer())
    start, _, begun, *_ = documents(message(TEXT))
    pieces = [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": half}} for half in (high, low)]
    end = list(documents(message(TEXT)))[-3:]
    for document in (start, begun, *pieces, *end):
        reader.document(document)
    reader.end()
    assert writer.document["choices"][0]["message"]["content"] == "😀"


BLOCKS = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, st.text(min_size=1, max_size=9)),
        st.builds(lambda text: {**THOUGHT, "thinking": text}, st.text(min_size=1, max_size=9)),
        st.builds(lambda text: {**CALL, "input": {"a": text}}, st.text(max_size=9)),
    ),
    max_size=5,
)


@given(BLOCKS, st.integers(1, 9))
def test_whole_and_streamed_say_the_same(blocks: list[dict[str, Any]], size: int) -> None:
    answer = message(*blocks)
    said = whole(chat_writer(), answer)["choices"][0]["message"]
    found = joined(streamed(chat_writer(), answer, size=size))
    assert found["content"] == (said["content"] or "")
    assert [json.loads(call["text"]) for call in found["calls"].values()] == [
        json.loads(call["function"]["arguments"]) for call in said.get("tool_calls", ())
    ]
    events = streamed(responses_writer(), answer, size=size)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    output = whole(responses_writer(), answer)["output"]
    assert [item["type"] for item in events[-1]["response"]["output"]] == [item["type"] for item in output]


JSON = st.recursive(
    st.none() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: st.dictionaries(
        st.sampled_from(
            [
                "type",
                "delta",
                "text",
                "content_block",
                "message",
                "usage",
                "stop_reason",
                "id",
                "name",
                "input",
                "signature",
                "thinking",
            ]
        ),
        inner
        | st.sampled_from(
            [
                "content_block_delta",
                "content_block_start",
                "text_delta",
                "message_start",
                "message_stop",
                "tool_use",
                "thinking",
                "text",
            ]
        ),
        max_size=4,
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["type", "delta", "content_block", "message", "usage", "content"]),
            JSON
            | st.sampled_from(
                [
                    "content_block_delta",
                    "content_block_start",
                    "content_block_stop",
                    "message_start",
                    "message_delta",
                    "message_stop",
                    "message",
                ]
            ),
            max_size=4,
        ),
        max_size=6,
    )
)
def test_no_answer_breaks_the_reader(answer: list[dict[str, Any]]) -> None:
    for writer in (chat_writer(), responses_writer()):
        reader = Reader(writer)
        try:
            for document in answer:
                reader.document(document)
            reader.end()
        except Broken:
            pass
