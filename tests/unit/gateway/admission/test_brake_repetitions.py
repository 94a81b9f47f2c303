"""The brake: which conversations repeat themselves, and which never do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.builders.braked import Driver, Message, conversation, limits, run, said, turn
from tests.support.builders.corpus import recordings

from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.admission.brake import turns
from claude_gateway_proxy.gateway.admission.brake.brake import Seat
from claude_gateway_proxy.gateway.admission.brake.line import Anchor
from claude_gateway_proxy.gateway.admission.brake.turns import NEWEST
from claude_gateway_proxy.gateway.admission.brake.words import Unit
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts


def test_the_same_call_with_the_same_input_is_stopped_softly_and_then_for_good() -> None:
    driver = Driver()
    requests = conversation([[("Bash", {"command": "make"})]] * 60)
    count, stopped = run(driver, requests) or (0, None)
    assert stopped is not None
    assert (count, stopped.scope, stopped.unit, stopped.soft) == (20, "session", Unit.REPEATED, True)
    assert "20 tool calls in a row with the same input, the last one of Bash (limit 20)" in stopped.message
    more, stopped = run(driver, requests) or (0, None)
    assert stopped is not None
    assert (more, stopped.soft) == (19, False)
    assert "claude-gateway release 5e55" in stopped.message
    assert driver.ask([said("hello")], agent="a1") == driver.ask([said("something else")]) == stopped
    assert driver.brake.release(driver.principal, "5e55")
    assert driver.ask([said("hello")]) is None


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_loop_of_several_calls_is_a_repetition(length: int) -> None:
    cycle = [[("Bash", {"command": f"step {number}"})] for number in range(length)]
    found = run(Driver(), conversation(cycle * 20))
    assert found is not None
    assert found[1].unit is Unit.REPEATED


def test_several_calls_of_one_turn_count_each() -> None:
    found = run(Driver(), conversation([[("Read", {"p": 1}), ("Read", {"p": 2})]] * 20))
    assert found is not None
    assert found[1].unit is Unit.REPEATED


def test_an_input_is_the_same_however_it_is_written() -> None:
    calls = [[("Bash", {"command": "make", "description": f"try {n}", "timeout": 5})] for n in range(10)]
    calls += [[("Bash", {"timeout": 5, "description": f"again {n}", "command": "make"})] for n in range(15)]
    found = run(Driver(), conversation(calls))
    assert found is not None
    assert found[1].unit is Unit.REPEATED


def test_other_inputs_between_are_no_repetition() -> None:
    calls = [
        [("Edit", {"new": number})] if number % 2 else [("Bash", {"command": "make test"})] for number in range(150)
    ]
    assert run(Driver(), conversation(calls)) is None


def test_a_context_that_only_grows_with_failures_is_stopped() -> None:
    calls = [[("Bash", {"command": f"try {number}"})] for number in range(250)]
    count, stopped = run(Driver(), conversation(calls, result="failed")) or (0, None)
    assert stopped is not None
    assert (count, stopped.unit, stopped.scope) == (200, Unit.GROWING, "session")
    assert "made its context longer for 200 turns in a row" in stopped.message


def test_words_that_a_program_repeats_do_not_count_as_a_persons() -> None:
    def tries() -> Iterator[list[Message]]:
        messages = [said("please do it")]
        for number in range(250):
            messages += [{"role": "assistant", "content": f"I could not, {number}"}, said("try again")]
            yield list(messages)

    found = run(Driver(), tries())
    assert found is not None
    assert found[1].unit is Unit.GROWING


def test_a_person_who_goes_on_starts_a_new_count() -> None:
    driver = Driver()
    messages: list[Message] = []
    for number in range(30):
        messages += [said(f"now do part {number}")]
        for step in range(15):
            messages += turn(number * 100 + step, ("Bash", {"command": "make"}))
            assert driver.ask(messages) is None


def test_a_compaction_starts_a_new_count() -> None:
    driver = Driver()
    for part in range(5):
        calls = [[("Bash", {"command": f"{part} {number}"})] for number in range(150)]
        assert run(driver, conversation(calls)) is None


def test_a_request_that_is_sent_again_is_nothing_new() -> None:
    driver = Driver(limits=limits(repeated_tool_calls=5, growing_turns=5))
    (*_, messages) = conversation([[("Bash", {"command": "make"})]] * 4)
    assert [driver.ask(messages) for _ in range(50)] == [None] * 50


@pytest.mark.parametrize(
    ("format_", "items"),
    [
        (
            Format.CHAT,
            [
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}]},
                {"role": "tool", "tool_call_id": "c", "content": "no"},
            ],
        ),
        (
            Format.CHAT,
            [
                {"role": "assistant", "content": None, "tool_calls": [{"custom": {"name": "f", "input": "go"}}]},
                {"role": "tool", "content": "no"},
            ],
        ),
        (
            Format.RESPONSES,
            [
                {"type": "function_call", "name": "shell", "arguments": '{"command":["ls"]}', "call_id": "c"},
                {"type": "function_call_output", "call_id": "c", "output": "no"},
            ],
        ),
        (Format.RESPONSES, [{"type": "custom_tool_call", "name": "patch", "input": "***"}]),
        (Format.RESPONSES, [{"type": "local_shell_call", "action": {"command": ["ls"]}}]),
    ],
    ids=["chat", "chat-custom", "responses", "responses-custom", "responses-shell"],
)
def test_every_format_has_tool_calls(format_: Format, items: list[Message]) -> None:
    driver = Driver()
    found = run(driver, iter([[said("go"), *(items * number)] for number in range(40)]), format_=format_)
    assert found is not None
    assert found[1].unit is Unit.REPEATED


def test_a_conversation_that_is_seen_late_is_known_by_its_newest_part() -> None:
    (*_, messages) = conversation([[("Bash", {"command": "make"})]] * (NEWEST // 2 - 1))
    stopped = Driver().ask(messages)
    assert stopped is not None
    assert stopped.unit is Unit.REPEATED


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(["role", "type", "content", "tool_calls", "function", "name", "input", "text"]), v
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_a_conversation_holds_it_is_read(messages: object) -> None:
    driver = Driver()
    body = json.dumps({"model": "m", "messages": messages}).encode()
    headers = [(b"x-claude-code-session-id", b"s")]
    for format_ in Format:
        assert isinstance(driver.brake.enter(driver.principal, Facts(parse(body), headers), format_), Seat)


@st.composite
def sessions_of_work(draw: st.DrawFn) -> list[list[list[tuple[str, Any]]]]:
    """Fifty turns of a person; in each, the model calls some tools, some of them more than once."""
    kinds = st.sampled_from(["make test", "git status", "ls", "cat notes", "npm run build"])
    call = st.one_of(
        st.tuples(st.just("Bash"), st.builds(lambda c: {"command": c}, kinds)),
        st.tuples(st.just("Edit"), st.builds(lambda n: {"file": "a.py", "new": n}, st.integers(0, 10**9))),
        st.tuples(st.just("Read"), st.builds(lambda n: {"file": f"{n}.py"}, st.integers(0, 9))),
    )
    return [draw(st.lists(st.lists(call, min_size=1, max_size=3), max_size=6)) for _ in range(50)]


# At most 350 requests: with two minutes each, below the limit of twelve hours of work.
@settings(max_examples=10, deadline=None)
@given(sessions_of_work(), st.floats(0.5, 120.0), st.floats(0.0, 0.2))
def test_a_normal_session_of_fifty_turns_is_never_stopped(
    work: list[list[list[tuple[str, Any]]]], step: float, cost: float
) -> None:
    driver = Driver(step=step)
    messages: list[Message] = []
    for number, calls in enumerate(work):
        messages.append(said(f"please do part {number}"))
        assert driver.ask(messages, cost=cost) is None
        for at, each in enumerate(calls):
            messages += turn(number * 100 + at, *each)
            assert driver.ask(messages, cost=cost) is None
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "done"}]})


def test_the_recorded_sessions_are_never_stopped() -> None:
    driver = Driver()
    asked = 0
    for recording in recordings():
        if not recording.target.startswith("/v1/messages?"):
            continue
        headers = [(name.lower().encode(), value.encode()) for name, value in recording.headers]
        found = driver.brake.enter(driver.principal, Facts(parse(recording.body), headers), Format.MESSAGES)
        assert isinstance(found, Seat), str(recording)
        driver.brake.leave(found, NANODOLLARS // 10)
        driver.now += 3
        asked += 1
    assert asked > 40


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_of_a_long_conversation_only_the_newest_part_is_split(separators: tuple[str, str]) -> None:
    (*_, before, after) = conversation([[("Bash", {"command": f"{number}" * 20})] for number in range(100)])
    texts = [json.dumps(messages, separators=separators).encode() for messages in (before, after)]
    skipped, items = Anchor().split(texts[0])
    assert (skipped, len(items)) == (0, len(before))
    skipped, items = Anchor.of(texts[0], items, skipped=0).split(texts[1])
    assert (skipped + len(items), len(items)) == (len(after), 6)
    assert list(map(bytes, items)) == list(map(bytes, turns.split(texts[1])[-6:]))
