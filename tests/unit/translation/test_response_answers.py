"""Answers of Responses as servers happen to send them: nothing lost, nothing twice, no half for a whole."""

from typing import Any

import msgspec
import pytest

from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken
from claude_gateway_proxy.translation.messages.events import Message, assembled
from claude_gateway_proxy.translation.messages.options import RequestOptions, Thinking
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.responses.answer import ResponsesReader

OPTIONS = RequestOptions(model="m", thinking=Thinking(wanted=True))

A, B = '{"command":"a"}', '{"file_path":"b"}'
BASH, READ = ("tool_use", "Bash", {"command": "a"}), ("tool_use", "Read", {"file_path": "b"})
HELLO, HM = ("text", "hello"), ("thinking", "hm")


def event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **members}


def begun(item: dict[str, Any], **members: Any) -> dict[str, Any]:
    return event("output_item.added", item=item, **members)


def over(item: dict[str, Any], **members: Any) -> dict[str, Any]:
    return event("output_item.done", item=item, **members)


def text(delta: str, **members: Any) -> dict[str, Any]:
    return event("output_text.delta", delta=delta, **members)


def arguments(delta: str, **members: Any) -> dict[str, Any]:
    return event("function_call_arguments.delta", delta=delta, **members)


def completed(*output: dict[str, Any], **members: Any) -> dict[str, Any]:
    return event("completed", response={"status": "completed", "output": list(output), **members})


def message(words: str, **members: Any) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "output_text", "text": words}] if words else [], **members}


def reasoning(words: str, **members: Any) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": words}] if words else [], **members}


def bash(words: str = A, **members: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": "Bash", "arguments": words, **members}


def read(words: str = B, **members: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": "Read", "arguments": words, **members}


def answer(*events: dict[str, Any]) -> Message:
    """The message of a stream of events, which is read until a server says that it is complete."""
    writer = Writer(OPTIONS)
    reader = ResponsesReader(writer)
    found = [writer.start()]
    for each in events:
        found += reader.event(each)
        if reader.ended:
            break
    return assembled([*found, *reader.end()])


def said(found: Message) -> list[tuple[Any, ...]]:
    return [
        (block["type"], block["name"], block["input"])
        if block["type"] == "tool_use"
        else (block["type"], block[block["type"]])
        for block in msgspec.to_builtins(found.content)
    ]


ANSWERS: dict[str, tuple[list[dict[str, Any]], list[tuple[Any, ...]]]] = {
    "the end repeats nothing": ([text("hello", output_index=0), completed()], [HELLO]),
    "the whole text alone": ([event("output_text.done", output_index=0, text="hello"), completed()], [HELLO]),
    "the whole part alone": (
        [event("content_part.done", output_index=0, part={"type": "output_text", "text": "hello"}), completed()],
        [HELLO],
    ),
    "the whole refusal alone": ([event("refusal.done", output_index=0, refusal="hello"), completed()], [HELLO]),
    "the whole reasoning alone": (
        [
            event("reasoning_summary_text.done", output_index=0, summary_index=0, text="hm"),
            event("reasoning_summary_part.done", output_index=0, summary_index=0, part={"text": "hm"}),
            over(reasoning("hm"), output_index=0),
            text("hello", output_index=1),
            completed(),
        ],
        [HM, HELLO],
    ),
    "reasoning under other names": (
        [
            event("reasoning.delta", output_index=0, delta="h"),
            event("reasoning_summary.delta", output_index=0, delta={"text": "m"}),
            text("hello", output_index=1),
            completed(),
        ],
        [HM, HELLO],
    ),
    "raw reasoning as a part": (
        [
            event("content_part.done", output_index=0, part={"type": "reasoning_text", "text": "hm"}),
            text("hello", output_index=1),
            completed(),
        ],
        [HM, HELLO],
    ),
    "the rest of a text at its end": (
        [text("hel", output_index=0), over(message("hello"), output_index=0), completed(message("hello"))],
        [HELLO],
    ),
    "another text at its end": (
        [text("hello", output_index=0), over(message("Hello."), output_index=0), completed()],
        [HELLO],
    ),
    "two parts": (
        [
            text("hel", output_index=0, content_index=0),
            text("lo", output_index=0, content_index=1),
            event("output_text.done", output_index=0, content_index=1, text="lo"),
            over(message("hello"), output_index=0),
            completed(),
        ],
        [HELLO],
    ),
    "two messages": (
        [
            text("let me", output_index=0),
            over(message("let me"), output_index=0),
            text("hello", output_index=1),
            completed(message("let me"), message("hello")),
        ],
        [("text", "let me"), HELLO],
    ),
    "every item at one place": (
        [
            event("reasoning_summary_text.delta", output_index=0, item_id="r", summary_index=0, delta="hm"),
            over(reasoning("hm", id="r"), output_index=0),
            over(message("hello", id="m"), output_index=0),
            begun(bash("", id="f1", call_id="c1"), output_index=0),
            arguments(A, output_index=0, item_id="f1"),
            over(bash(id="f1", call_id="c1"), output_index=0),
            begun(read("", id="f2", call_id="c2"), output_index=0),
            arguments(B, output_index=0, item_id="f2"),
            over(read(id="f2", call_id="c2"), output_index=0),
            completed(
                reasoning("hm", id="r"),
                message("hello", id="m"),
                bash(id="f1", call_id="c1"),
                read(id="f2", call_id="c2"),
            ),
        ],
        [HM, HELLO, BASH, READ],
    ),
    "no place, calls by turns, known by the id of the call": (
        [
            begun(bash("", call_id="fc_a")),
            begun(read("", call_id="fc_b")),
            arguments(A[:4], item_id="fc_a"),
            arguments(B, item_id="fc_b"),
            arguments(A[4:], item_id="fc_a"),
            over(bash(call_id="fc_a")),
            over(read(call_id="fc_b")),
            completed(bash(call_id="fc_a"), read(call_id="fc_b")),
        ],
        [BASH, READ],
    ),
    "a new id in every event": (
        [
            begun(message("", id="m1")),
            text("hel", item_id="m2"),
            text("lo", item_id="m2"),
            event("output_text.done", item_id="m2", text="hello"),
            over(message("hello", id="m3")),
            begun(bash("", id="f1", call_id="c1")),
            arguments(A, item_id="f2"),
            over(bash(id="f3", call_id="c1")),
            completed(message("hello", id="m4"), bash(id="f4", call_id="c1")),
        ],
        [HELLO, BASH],
    ),
    "calls that nobody announced": (
        [
            arguments(A, item_id="f1"),
            arguments(B, item_id="f2"),
            over(bash(id="f1", call_id="c1")),
            over(read(id="f2", call_id="c2")),
            completed(),
        ],
        [BASH, READ],
    ),
    "arguments at their end alone": (
        [
            begun(bash("", id="f1", call_id="c1"), output_index=0),
            event("function_call_arguments.done", output_index=0, item_id="f1", arguments=A),
            over(bash(id="f1", call_id="c1"), output_index=0),
            completed(),
        ],
        [BASH],
    ),
    "the rest of the arguments at their end": (
        [arguments(A[:5], output_index=0), over(bash(id="f1", call_id="c1"), output_index=0), completed()],
        [BASH],
    ),
    "neither place nor id": ([text("hel"), text("lo"), completed(message("hello", id="m"))], [HELLO]),
    "the output in another order": (
        [
            text("hello", output_index=1),
            over(reasoning("hm"), output_index=0),
            completed(message("hello", id="m"), reasoning("hm", id="r")),
        ],
        [HELLO, HM],
    ),
    "a response without its type": ([{"id": "r", "status": "completed", "output": [message("hello")]}], [HELLO]),
    "a text beside an empty output": ([completed(output_text="hello")], [HELLO]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_nothing_is_lost_and_nothing_comes_twice(name: str) -> None:
    events, expected = ANSWERS[name]
    found = answer(*events)
    assert said(found) == expected
    assert found.stop_reason == ("tool_use" if expected[-1][0] == "tool_use" else "end_turn")


@pytest.mark.parametrize(
    "events",
    [
        [completed()],
        [event("created", response={}), event("completed")],
        [text("hello"), completed(error={"code": "server_error", "message": "the upstream fell over"})],
        [over(bash(A[:4], status="incomplete"), output_index=0), completed()],
        [text("hello"), event("completed", response={"status": "in_progress"})],
    ],
)
def test_a_cut_or_empty_response_is_never_a_complete_one(events: list[dict[str, Any]]) -> None:
    with pytest.raises(BadAnswer, match="the upstream"):
        answer(*events)


def custom(words: str, **members: Any) -> dict[str, Any]:
    return {"type": "custom_tool_call", "call_id": "c1", "name": "Bash", "input": words, **members}


def own(kind: str) -> dict[str, Any]:
    """An item that a server's own tool leaves."""
    return {"type": kind, "id": "x1", "status": "completed"}


@pytest.mark.parametrize(("words", "given"), [(A, {"command": "a"}), ("ls -l", {"arguments": "ls -l"})])
def test_a_call_with_plain_text_is_a_call(words: str, given: dict[str, Any]) -> None:
    pieces = [event("custom_tool_call_input.delta", output_index=0, item_id="x", delta=each) for each in words]
    done = event("custom_tool_call_input.done", output_index=0, item_id="x", input=words)
    streamed = [begun(custom("", id="x"), output_index=0), *pieces, done, over(custom(words, id="x"), output_index=0)]
    for events in ([*streamed, completed(custom(words, id="x"))], [completed(custom(words))]):
        found = answer(*events)
        assert (said(found), found.stop_reason) == ([("tool_use", "Bash", given)], "tool_use")


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_call", "image_generation_call", "brand_new"])
def test_what_a_server_did_by_itself_is_passed_over_beside_an_answer(kind: str) -> None:
    events = [begun(own(kind), output_index=0), over(own(kind), output_index=0), text("hello", output_index=1)]
    assert said(answer(*events, completed(own(kind), message("hello")))) == [HELLO]
    for alone in (
        [over(own(kind)), completed(own(kind))],
        [completed(own(kind))],
        [completed(reasoning("hm"), own(kind))],
    ):
        with pytest.raises(Broken, match=f"nothing but an item of type '{kind}'"):
            answer(*alone)


@pytest.mark.parametrize(
    "kind", ["local_shell_call", "shell_call", "apply_patch_call", "computer_call", "mcp_approval_request"]
)
def test_an_answer_that_waits_for_something_else_is_broken(kind: str) -> None:
    for events in ([text("hello"), begun(own(kind))], [completed(message("hello"), own(kind))]):
        with pytest.raises(Broken, match=f"asks for an item of type '{kind}'"):
            answer(*events)


@pytest.mark.parametrize("item", [{"type": "function_call"}, {"type": "function_call", "arguments": ""}])
def test_a_call_that_says_nothing_does_not_break_the_reader(item: dict[str, Any]) -> None:
    found = answer(text("hello", output_index=0), begun(item, output_index=1), over(item, output_index=1), completed())
    assert said(found) == [HELLO]


def test_calls_in_one_and_a_call_behind_them() -> None:
    events = [
        begun(bash("", id="f1", call_id="c1"), output_index=0),
        arguments(A + '{"command":"b"}', output_index=0, item_id="f1"),
        over(bash(A + '{"command":"b"}', id="f1", call_id="c1"), output_index=0),
        begun(read("", id="f2", call_id="c2"), output_index=1),
        arguments(B, output_index=1, item_id="f2"),
        over(read(id="f2", call_id="c2"), output_index=1),
        completed(),
    ]
    assert said(answer(*events)) == [BASH, ("tool_use", "Bash", {"command": "b"}), READ]


def test_an_error_that_says_nothing_is_none() -> None:
    assert said(answer(text("hello"), completed(error={"code": None, "message": ""}))) == [HELLO]


def test_an_answer_that_a_filter_leaves_empty_is_a_refusal() -> None:
    end = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}
    assert answer(event("incomplete", response=end)).stop_reason == "refusal"
    with pytest.raises(Broken):
        answer(event("incomplete", response={**end, "status": "completed"}))
