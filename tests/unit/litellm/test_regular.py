"""Answers of upstreams as LiteLLM gets them: regular, complete, and with the upstream's own counts."""

import json
from typing import Any

import pytest

from claude_gateway_proxy.litellm.regular import AnswerContext, Stream, answer_context, is_regular, whole
from claude_gateway_proxy.translation.bad_answer import Broken, Reported
from claude_gateway_proxy.translation.messages.events import Usage

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


def delta(said: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": said, "finish_reason": finish, "logprobs": None}], **more}


def piece(ident: Any, name: Any, arguments: Any, **more: Any) -> dict[str, Any]:
    return {"index": 0, "id": ident, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def streamed(*documents: Any, path: str = CHAT) -> list[dict[str, Any]]:
    """The documents that LiteLLM reads of a stream, which comes byte by byte."""
    stream = Stream(path)
    raw = "".join(f"data: {json.dumps(each)}\n\n" for each in documents).encode()
    found = b"".join(stream.feed(raw[at : at + 1]) for at in range(len(raw))) + stream.end()
    events = [event.removeprefix("data: ") for event in found.decode().split("\n\n") if event]
    if path == CHAT:
        assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def deltas(*documents: Any) -> list[dict[str, Any]]:
    return [choice["delta"] for document in streamed(*documents) for choice in document["choices"]]


def test_which_answers_are_made_regular() -> None:
    assert is_regular(CHAT)
    assert is_regular("/openai/deployments/x/chat/completions")
    assert is_regular(RESPONSES)
    assert not is_regular("/v1/embeddings")
    assert not is_regular("/v1beta/models/x:generateContent")


def test_a_regular_stream_stays_as_it_is() -> None:
    chunks = [
        delta({"role": "assistant", "content": "hel"}),
        delta({"content": "lo"}),
        delta({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2}),
    ]
    assert streamed(*chunks) == chunks


def test_calls_are_put_together() -> None:
    chunks = [
        delta({"tool_calls": [piece(None, "Bash", {"a": 1})]}),
        delta({"tool_calls": [piece(None, "Read", '{"b":')]}),
        delta({"tool_calls": [piece(None, None, "2}")]}),
        delta({}, "tool_calls"),
    ]
    calls = [call for said in deltas(*chunks) for call in said.get("tool_calls", ())]
    assert [(call["index"], call["function"].get("name"), call["function"]["arguments"]) for call in calls] == [
        (0, "Bash", '{"a":1}'),
        (1, "Read", '{"b":'),
        (1, None, "2}"),
    ]


def test_the_signature_of_a_thought_is_in_the_id() -> None:
    signed = piece("c1", "Bash", "{}", extra_content={"google": {"thought_signature": "c2ln"}})
    (said,) = [said for said in deltas(delta({"tool_calls": [signed]}), delta({}, "tool_calls")) if said]
    assert said["tool_calls"][0]["id"] == "c1__thought__c2ln"


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_no_character_of_the_text_ends_a_line(mark: str) -> None:
    raw = f"data: {json.dumps(delta({'content': f'a{mark}b'}), ensure_ascii=False)}\n\n".encode()
    found = Stream(CHAT).feed(raw)
    assert len(found.decode().splitlines()) == 2
    assert json.loads(found.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == f"a{mark}b"


def test_several_choices() -> None:
    both = [{"index": at, "delta": {"content": str(at)}, "finish_reason": "stop"} for at in range(2)]
    assert [choice["index"] for choice in streamed({"choices": both})[0]["choices"]] == [0, 1]


def test_a_choice_that_nobody_asked_for_is_left_out() -> None:
    both = {"choices": [{"index": at, "delta": {"content": f"{at}"}, "finish_reason": None} for at in (0, 1)]}
    answer_context.set(AnswerContext())
    assert deltas(both, delta({"content": "a"}, "stop")) == [{"content": "0"}, {"content": "a"}]
    answer = {"choices": [{"index": at, "message": {"content": f"{at}"}, "finish_reason": "stop"} for at in (0, 1)]}
    assert [each["index"] for each in json.loads(whole(json.dumps(answer).encode(), CHAT))["choices"]] == [0]
    answer_context.set(AnswerContext(choices=2))
    with pytest.raises(Broken):
        deltas(both, delta({"content": "a"}, "stop"))
    answer_context.set(None)


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [{"choices": [], "usage": {"prompt_tokens": 1}}],
        [delta({"content": "half"})],
        [delta({}, "abort")],
        [delta({"tool_calls": [piece("c", "B", "{")]}, "stop")],
    ],
)
def test_a_cut_stream_is_broken(documents: list[Any]) -> None:
    with pytest.raises(Broken):
        streamed(*documents)


def test_a_whole_answer_where_a_stream_was_asked_for() -> None:
    message = {"choices": [{"message": {"content": "hello"}, "finish_reason": None}]}
    stream = Stream(CHAT)
    found = stream.feed(json.dumps(message).encode()) + stream.end()
    assert b'"content":"hello"' in found
    assert b'"finish_reason":"stop"' in found


def test_a_stream_where_a_whole_answer_was_asked_for() -> None:
    raw = "".join(
        f"data: {json.dumps(each)}\n\n" for each in (delta({"content": "a"}), delta({"content": "b"}, "stop"))
    )
    (choice,) = json.loads(whole(raw.encode(), CHAT))["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("ab", "stop")


def test_a_whole_answer() -> None:
    calls = [piece("c", "Bash", json.dumps('{"a":1}'))]
    message = {"role": "assistant", "content": None, "tool_calls": calls, "annotations": [1]}
    raw = json.dumps({"id": "x", "choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    (choice,) = json.loads(whole(raw, CHAT))["choices"]
    assert choice["message"]["annotations"] == [1]
    assert choice["message"]["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "Bash", "arguments": '{"a":1}'}}
    ]


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b'{"choices":null}', b"<html>", b'{"choices":[{"finish_reason":"error"}]}']
)
def test_what_is_no_whole_answer(raw: bytes) -> None:
    with pytest.raises(Broken):
        whole(raw, CHAT)


def test_an_error_with_a_status_of_success() -> None:
    for path in (CHAT, RESPONSES):
        with pytest.raises(Reported, match="the reason"):
            whole(b'{"error":{"message":"the reason"}}', path)


def test_responses() -> None:
    response = {"object": "response", "status": "completed", "output": []}
    completed = {"type": "response.completed", "response": response}
    assert json.loads(whole(json.dumps(response).encode(), RESPONSES)) == response
    assert json.loads(whole(f"data: {json.dumps(completed)}\n\ndata: {{}}\n\n".encode(), RESPONSES)) == response
    assert streamed(completed, path=RESPONSES) == [completed]
    assert streamed(response, path=RESPONSES) == [completed]
    for raw in (b"", b'data: {"type":"response.created"}\n\ndata: {"type":"x"}\n\n'):
        with pytest.raises(Broken):
            whole(raw, RESPONSES)


def test_counts_are_the_upstreams_own() -> None:
    for usage, expected in ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2)), (None, None):
        context = AnswerContext()
        answer_context.set(context)
        streamed(delta({"content": "x"}, "stop", usage=usage))
        assert (context.regular, context.usage) == (True, expected)
    answer_context.set(None)


def test_choices_by_number() -> None:
    assert deltas({"choices": {"0": {"delta": {"content": "a"}, "finish_reason": "stop"}}}) == [{"content": "a"}]
    (choice,) = json.loads(whole(b'{"choices":{"0":{"message":{"content":"a"},"finish_reason":"stop"}}}', CHAT))[
        "choices"
    ]
    assert choice["message"]["content"] == "a"


def test_the_name_of_a_call_in_pieces() -> None:
    chunks = [delta({"tool_calls": [piece("c", *each)]}) for each in (("Ba", ""), ("sh", ""), (None, "{}"))]
    (call,) = [call for said in deltas(*chunks, delta({}, "stop")) for call in said.get("tool_calls", ())]
    assert call["function"] == {"name": "Bash", "arguments": "{}"}
