"""Ends of a Claude's answers in OpenAI's formats: each reason has its equal, and an end is never made up."""

import pytest
from tests.support.builders.claude_answers import (
    CALL,
    TEXT,
    chat_writer,
    documents,
    joined,
    message,
    responses_writer,
    streamed,
    whole,
)

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.claude.fence import Fence
from claude_gateway_proxy.translation.claude.reader import Reader

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
