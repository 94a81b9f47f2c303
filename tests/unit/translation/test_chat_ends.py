"""Ends of answers of Chat Completions: no half for a whole, and why an answer ended."""

import json
from typing import Any

import pytest
from tests.support.builders.chat_chunks import DONE, STOP, answer, called, delta, piece, said

from claude_gateway_proxy.translation.bad_answer import Broken

A = '{"command":"a"}'


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", "end_turn"),
        ("STOP", "end_turn"),
        ("eos_token", "end_turn"),
        ("end_turn", "end_turn"),
        ("something new", "end_turn"),
        ("length", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("model_length", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("content_filter", "refusal"),
        ("SAFETY", "refusal"),
        ("sensitive", "refusal"),
    ],
)
def test_reasons_for_the_end(reason: str, stop: str) -> None:
    assert answer(delta({"content": "x"}), delta({}, reason)).stop_reason == stop


@pytest.mark.parametrize("word", ["null", "None", ""])
def test_a_reason_that_is_none(word: str) -> None:
    assert said(answer(delta({"content": "a"}, word), delta({"content": "b"}), STOP)) == [("text", "ab")]
    with pytest.raises(Broken):
        answer(delta({"content": "a"}, word))


@pytest.mark.parametrize(
    "reason",
    [
        *("abort", "error", "network_error", "insufficient_system_resource", "malformed_function_call", "cancelled"),
        *("MALFORMED_FUNCTION_CALL", "FinishReason.MALFORMED_FUNCTION_CALL", "unexpected-tool-call", "timeout"),
    ],
)
def test_a_reason_that_is_a_failure(reason: str) -> None:
    for chunks in (
        [delta({"content": "half"}), delta({}, reason)],
        [{"choices": [{"message": {"content": "half"}, "finish_reason": reason}]}],
        [called(piece(0, "c", "Bash", A)), delta({}, reason)],
    ):
        with pytest.raises(Broken, match=reason):
            answer(*chunks)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [{"choices": []}],
        [{"usage": {"prompt_tokens": 1}}],
        [{"choices": None}],
        [delta({"content": "I will now ed"})],
        [delta({"role": "assistant", "content": ""})],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r'))],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r')), DONE],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r')), STOP],
        [
            {
                "choices": [
                    {"message": {"tool_calls": [piece(0, "c1", "Bash", '{"command":"rm')]}, "finish_reason": "stop"}
                ]
            }
        ],
        [{"choices": [{"message": {"content": "a"}}]}, {"choices": [{"message": {"content": "b"}}]}],
    ],
)
def test_a_cut_or_empty_answer_is_never_a_complete_one(chunks: list[Any]) -> None:
    with pytest.raises(Broken) as raised:
        answer(*chunks)
    assert str(raised.value).startswith("the upstream ")


@pytest.mark.parametrize(
    "chunks",
    [
        # The server's reader of calls lost the call.
        [delta({"role": "assistant", "content": ""}), DONE],
        [delta({"reasoning_content": "I call it"}), DONE],
        [{"choices": [{"message": {"content": None, "tool_calls": []}, "finish_reason": "tool_calls"}]}],
    ],
)
def test_an_end_without_what_it_promises_is_broken(chunks: list[Any]) -> None:
    with pytest.raises(Broken, match="before it began"):
        answer(*chunks)


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}


@pytest.mark.parametrize("said_so", [{"images": [IMAGE]}, {"content": [IMAGE]}, {"audio": {"data": "eA=="}}])
def test_an_answer_that_only_openais_formats_can_hold_is_broken(said_so: dict[str, Any]) -> None:
    for chunks in ([delta(said_so), STOP], [{"choices": [{"message": said_so, "finish_reason": "stop"}]}]):
        with pytest.raises(Broken, match="nothing but an image or sound"):
            answer(*chunks)
    assert said(answer(delta({"content": "here it is"}), delta(said_so), STOP)) == [("text", "here it is")]


def test_a_model_may_have_nothing_to_say() -> None:
    for count in (0, 1):
        counted = {"usage": {"prompt_tokens": 9, "completion_tokens": count}}
        assert answer(delta({"role": "assistant", "content": ""}), STOP, counted).stop_reason == "end_turn"
    assert said(answer(delta({"content": "done"}), DONE)) == [("text", "done")]


def test_where_servers_put_the_reason_and_the_stop_that_they_met() -> None:
    assert answer(delta({"content": "x"}), delta({"finish_reason": "length"})).stop_reason == "max_tokens"
    assert answer(delta({"content": "x"}), delta({}, {"type": "length", "length": 9})).stop_reason == "max_tokens"
    for name in ("stop_reason", "matched_stop"):
        met = answer(delta({"content": "x"}), {"choices": [{"delta": {}, "finish_reason": "stop", name: "END"}]})
        assert (met.stop_reason, met.stop_sequence) == ("stop_sequence", "END")


def test_a_call_cut_by_the_limit_says_so() -> None:
    assert answer(called(piece(0, "c1", "Bash", '{"command":"rm -r')), delta({}, "length")).stop_reason == "max_tokens"


@pytest.mark.parametrize(("reason", "stop"), [("length", "max_tokens"), ("content_filter", "refusal")])
@pytest.mark.parametrize("after", ["stop", "tool_calls", "length"])
def test_a_reason_behind_that_of_a_cut_answer_says_nothing(reason: str, stop: str, after: str) -> None:
    cut = called(piece(0, "c1", "Bash", A[:4]), finish=reason)
    assert answer(cut, delta({}, after)).stop_reason == stop


def test_a_call_that_was_lost_is_no_answer() -> None:
    for lost in ({"index": 0, "id": "c1", "function": json.dumps({"name": "Bash"})}, {"index": 0, "id": "c1"}):
        with pytest.raises(Broken):
            answer(called(lost), DONE)


def test_a_whole_answer_needs_no_reason() -> None:
    assert answer({"choices": [{"message": {"content": "x"}}]}).stop_reason == "end_turn"
