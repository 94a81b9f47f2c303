"""Answers of a Claude in OpenAI's formats: whole and streamed say the same, and an end is never made up."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.client_answer import ChatWriter
from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.fence import Fence
from claude_gateway_proxy.translation.claude.options import Target
from claude_gateway_proxy.translation.claude.reader import Reader
from claude_gateway_proxy.translation.responses.client_answer import ResponsesWriter
from claude_gateway_proxy.translation.responses.client_request import messages_request as of_responses

TARGET = Target("claude-sonnet-4-5", "claude-sonnet-4-5")
USER = {"role": "user", "content": "hi"}
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
THOUGHT = {"type": "thinking", "thinking": "let me see", "signature": "c2ln"}
TEXT = {"type": "text", "text": "Hello Ünïcode 😀"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Wien"}}
SEARCH = [
    {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
]
CITED = {"type": "text", "text": "said", "citations": [{"type": "x", "url": "https://a.example", "title": "A"}]}


def message(*blocks: Any, stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    content = list(blocks)
    return {"type": "message", "model": "claude-x", "content": content, "stop_reason": stop, "usage": USAGE, **more}


def documents(whole: dict[str, Any], *, size: int = 3) -> Iterator[dict[str, Any]]:
    """The events of a message, its pieces of ``size`` characters."""
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        pieces = {"text": block.get("text"), "thinking": block.get("thinking")}
        if kind.endswith("tool_use"):
            pieces["partial_json"] = json.dumps(block["input"])
        started = {**block, **{key: "" for key in ("text", "thinking", "signature") if key in block}}
        started.pop("citations", None)
        yield {"type": "content_block_start", "index": index, "content_block": {**started, "input": {}}}
        for key, text in pieces.items():
            name = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}[key]
            for at in range(0, len(text or ""), size):
                yield {
                    "type": "content_block_delta",
                    "index": index,
                    "delta": {"type": name, key: text[at : at + size]},
                }
        for citation in block.get("citations", ()):
            yield {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "citations_delta", "citation": citation},
            }
        if "signature" in block:
            delta = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": whole["stop_reason"], "stop_details": whole.get("stop_details")}
    yield {"type": "message_delta", "delta": delta, "usage": whole["usage"]}
    yield {"type": "message_stop"}


def chat_writer(**fields: Any) -> ChatWriter:
    return ChatWriter(of_chat({"messages": [USER], **fields}, target=TARGET), model="m", created=1)


def responses_writer(**fields: Any) -> ResponsesWriter:
    asked = of_responses({"input": "hi", "reasoning": {"summary": "auto"}, **fields}, target=TARGET)
    return ResponsesWriter(asked, model="m", created=1)


def streamed(writer: ChatWriter | ResponsesWriter, answer: dict[str, Any], *, size: int = 3) -> list[dict[str, Any]]:
    reader = Reader(writer)
    parts = [reader.document(each) for each in documents(answer, size=size)]
    assert reader.ended
    lines = b"".join([*parts, reader.end()]).decode().split("\n\n")
    data = [line.rpartition("data: ")[2] for line in lines if line]
    return [json.loads(each) for each in data if each != "[DONE]"]


def whole(writer: ChatWriter | ResponsesWriter, answer: dict[str, Any]) -> dict[str, Any]:
    reader = Reader(writer)
    reader.document(answer)
    reader.end()
    return writer.document


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that chunks add up to, as a client does it."""
    found: dict[str, Any] = {"content": "", "calls": {}}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            for key in ("content", "reasoning_content"):
                found[key] = found.get(key, "") + (delta.get(key) or "")
            for call in delta.get("tool_calls", ()):
                kept = found["calls"].setdefault(call["index"], {"id": call.get("id"), "text": ""})
                kept["text"] += call.get("function", {}).get("arguments", "") + call.get("custom", {}).get("input", "")
            found["finish"] = choice["finish_reason"] or found.get("finish")
    return found


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


STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
    "brand_new": "stop",
}


@pytest.mark.parametrize(("stop", "finish"), STOPS.items())
def test_each_reason_has_its_equal(stop: str, finish: str) -> None:
    assert whole(chat_writer(), message(TEXT, stop=stop))["choices"][0]["finish_reason"] == finish
    found = whole(responses_writer(), message(TEXT, stop=stop))
    incomplete = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish)
    assert found["status"] == ("completed" if incomplete is None else "incomplete")
    assert found["incomplete_details"] == (None if incomplete is None else {"reason": incomplete})
    assert streamed(responses_writer(), message(TEXT, stop=stop))[-1]["type"] == f"response.{found['status']}"


def test_a_refusal_without_words_says_what_the_upstream_says() -> None:
    answer = message(stop="refusal", stop_details={"explanation": "not this"})
    said = whole(chat_writer(), answer)["choices"][0]["message"]
    assert (said["refusal"], said["content"]) == ("not this", None)
    (item,) = whole(responses_writer(), answer)["output"]
    assert item["content"] == [{"type": "refusal", "refusal": "not this"}]
    assert "response.refusal.delta" in [event["type"] for event in streamed(responses_writer(), answer)]
    assert whole(chat_writer(), message(stop="refusal"))["choices"][0]["message"]["refusal"] is None


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


@pytest.mark.parametrize("most", [1, 3, 6])
def test_an_answer_without_its_end_is_broken(most: int) -> None:
    for writer in (chat_writer(), responses_writer()):
        reader = Reader(writer)
        for document in list(documents(message(TEXT)))[:most]:
            reader.document(document)
        with pytest.raises(Broken):
            reader.end()


def test_an_end_that_a_server_forgets_to_say_still_counts() -> None:
    reader = Reader(writer := chat_writer())
    for document in list(documents(message(TEXT)))[:-1]:
        reader.document(document)
    assert b"[DONE]" in reader.end()
    assert writer.document["choices"][0]["finish_reason"] == "stop"


def test_a_stop_of_white_space_ends_the_answer() -> None:
    answer = message({"type": "text", "text": "one\n\ntwo"}, CALL, stop="tool_use")
    choice = whole(chat_writer(stop=["\n\n"]), answer)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "stop")
    found = joined(streamed(chat_writer(stop="\n\n"), answer))
    assert (found["content"], found["finish"], found["calls"]) == ("one", "stop", {})


FENCED = {
    '{"a": 1}': '{"a": 1}',
    '```json\n{"a": 1}\n```': '{"a": 1}',
    "\n```\n{}\n```\n": "{}",
    "``": "``",
    "```": "```",
}


@pytest.mark.parametrize(("text", "wanted"), FENCED.items())
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_json_comes_without_a_fence(text: str, wanted: str, size: int) -> None:
    fence = Fence()
    found = "".join(fence.feed(text[at : at + size]) for at in range(0, len(text), size)) + fence.rest()
    assert found == wanted
    form = {"type": "json_object"}
    answer = message({"type": "text", "text": text})
    assert joined(streamed(chat_writer(response_format=form), answer, size=size))["content"] == wanted
    (item,) = whole(responses_writer(text={"format": form}), answer)["output"]
    assert item["content"][0]["text"] == wanted


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
