"""The brake: what stops a session, once and for good, what does not, and whom a stop concerns."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.builders.corpus import recordings

from claude_gateway.api import brake as api
from claude_gateway.contract.brake import Brake as Limits
from claude_gateway.contract.brake import BrakeLimits
from claude_gateway.contract.client import Client
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.target import Format
from claude_gateway.plan import brakes
from claude_gateway_proxy.gateway.admission.brake import turns
from claude_gateway_proxy.gateway.admission.brake.brake import Brake, Seat
from claude_gateway_proxy.gateway.admission.brake.line import Anchor
from claude_gateway_proxy.gateway.admission.brake.session import Sessions
from claude_gateway_proxy.gateway.admission.brake.turns import NEWEST
from claude_gateway_proxy.gateway.admission.brake.words import Stopped, Unit
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts

DEFAULTS: Final = brakes.of(api.Brake())
TOOL: Final = {"name": "Bash", "input_schema": {"type": "object"}}
Message = dict[str, Any]


def limits(*, agent: BrakeLimits | None = None, percent: int = 200, released: Sequence[str] = (), **own: int) -> Limits:
    """A brake with these limits of a session, and no others."""
    return Limits(
        session=BrakeLimits(**own), agent=agent or BrakeLimits(), hard_percent=percent, released=tuple(released)
    )


@dataclass
class Driver:
    """Asks a brake as a client would; the clock goes on by ``step`` seconds with each request."""

    limits: Limits | None = DEFAULTS
    session: str = "5e55"
    user: str = ""
    client: str = "ns/dev"
    step: float = 5.0
    now: float = 1000.0
    sessions: Sessions = field(default_factory=Sessions)

    def __post_init__(self) -> None:
        self.brake = Brake(lambda: self.now, sessions=self.sessions)

    @property
    def principal(self) -> Principal:
        return Principal(Client(name=self.client, brake=self.limits), user=self.user)

    def ask(
        self,
        messages: Sequence[Any] = (),
        *,
        agent: str = "",
        cost: float = 0.0,
        tools: bool = True,
        format_: Format = Format.MESSAGES,
        took: float = 0.0,
    ) -> Stopped | None:
        """Send one request; return what stopped it."""
        name = "input" if format_ is Format.RESPONSES else "messages"
        body = {"model": "m", **({"tools": [TOOL]} if tools else {}), name: list(messages)}
        headers = [(b"x-claude-code-session-id", self.session.encode())]
        headers += [(b"x-claude-code-agent-id", agent.encode())] if agent else []
        found = self.brake.enter(self.principal, Facts(parse(json.dumps(body).encode()), headers), format_)
        self.now += took
        if isinstance(found, Seat):
            self.brake.leave(found, round(cost * NANODOLLARS))
        self.now += self.step
        return found if isinstance(found, Stopped) else None


def said(text: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def turn(number: int, *calls: tuple[str, Any], result: str = "done") -> list[Message]:
    """An answer that calls tools, and their results."""
    used = [
        {"type": "tool_use", "id": f"toolu_{number}_{at}", "name": name, "input": given}
        for at, (name, given) in enumerate(calls)
    ]
    results = [
        {
            "type": "tool_result",
            "tool_use_id": each["id"],
            "content": f"{result} {number}",
            "is_error": result != "done",
        }
        for each in used
    ]
    return [{"role": "assistant", "content": used}, {"role": "user", "content": results}]


def conversation(calls: Sequence[Sequence[tuple[str, Any]]], *, result: str = "done") -> Iterator[list[Message]]:
    """Yield the messages of each request of a run in which the model calls these tools, one turn after another."""
    messages = [said("please do it")]
    yield list(messages)
    for number, each in enumerate(calls):
        messages += turn(number, *each, result=result)
        yield list(messages)


def run(driver: Driver, requests: Iterator[list[Message]], **more: Any) -> tuple[int, Stopped] | None:
    """Send requests until one is stopped; return how many were let in before it, and what stopped it."""
    for number, messages in enumerate(requests):
        stopped = driver.ask(messages, **more)
        if stopped is not None:
            return number, stopped
    return None


def test_without_a_brake_or_without_a_session_nothing_is_remembered() -> None:
    free = Driver(limits=None)
    assert free.ask([said("hi")]) is None
    nameless = Driver(session="")
    assert nameless.ask([said("hi")]) is None
    assert len(free.sessions) == len(nameless.sessions) == 0


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


def test_words_that_a_program_repeats_are_no_persons() -> None:
    def tries() -> Iterator[list[Message]]:
        messages = [said("please do it")]
        for number in range(250):
            messages += [{"role": "assistant", "content": f"I could not, {number}"}, said("try again")]
            yield list(messages)

    found = run(Driver(), tries())
    assert found is not None
    assert found[1].unit is Unit.GROWING


def test_a_person_who_goes_on_begins_anew() -> None:
    driver = Driver()
    messages: list[Message] = []
    for number in range(30):
        messages += [said(f"now do part {number}")]
        for step in range(15):
            messages += turn(number * 100 + step, ("Bash", {"command": "make"}))
            assert driver.ask(messages) is None


def test_a_compaction_begins_anew() -> None:
    driver = Driver()
    for part in range(5):
        calls = [[("Bash", {"command": f"{part} {number}"})] for number in range(150)]
        assert run(driver, conversation(calls)) is None


def test_a_request_that_is_sent_again_is_nothing_new() -> None:
    driver = Driver(limits=limits(repeated_tool_calls=5, growing_turns=5))
    (*_, messages) = conversation([[("Bash", {"command": "make"})]] * 4)
    assert [driver.ask(messages) for _ in range(50)] == [None] * 50


def test_a_soft_stop_is_said_again_until_the_conversation_goes_on() -> None:
    driver = Driver(limits=limits(requests=2))
    first = [said("hi")]
    assert [driver.ask(first), driver.ask(first)] == [None, None]
    stopped = driver.ask(first)
    assert stopped is not None
    assert [driver.ask(first) for _ in range(5)] == [stopped] * 5
    assert driver.ask([*first, said("go on")]) is None
    assert driver.ask([*first, said("go on")]) is None
    hard = driver.ask([*first, said("go on")])
    assert hard is not None
    assert not hard.soft
    assert "made 4 requests (limit 4)" in hard.message


def test_one_request_is_said_in_the_singular() -> None:
    driver = Driver(limits=limits(requests=1))
    driver.ask([said("a")])
    stopped = driver.ask([said("b")])
    assert stopped is not None
    assert (
        "because it made 1 request (limit 1): say what to do next and it goes on, up to 2 requests" in stopped.message
    )


def test_without_a_warning_the_first_stop_is_hard() -> None:
    driver = Driver(limits=limits(requests=2, percent=100))
    driver.ask([said("a")])
    driver.ask([said("b")])
    stopped = driver.ask([said("c")])
    assert stopped is not None
    assert not stopped.soft


def test_money_is_counted_exactly() -> None:
    driver = Driver(limits=limits(dollars=NANODOLLARS))
    for number in range(10):
        assert driver.ask([said(str(number))], cost=0.1) is None
    stopped = driver.ask([said("more")])
    assert stopped is not None
    assert "cost $1.00 (limit $1.00)" in stopped.message


def test_minutes_are_those_of_work() -> None:
    driver = Driver(limits=limits(minutes=10), step=400.0)
    for number in range(50):
        assert driver.ask([said(str(number))]) is None
    driver.step = 60.0
    for number in range(10):
        assert driver.ask([said(f"again {number}")]) is None
    stopped = driver.ask([said("last")])
    assert stopped is not None
    assert "worked for 10 minutes (limit 10)" in stopped.message
    long = Driver(limits=limits(minutes=10), step=0.0)
    assert long.ask([said("think")], took=599.0) is None
    assert long.ask([said("more")], took=1.0) is None
    assert long.ask([said("more still")]) is not None


def test_agents_count_towards_their_session_and_have_limits_of_their_own() -> None:
    driver = Driver(limits=limits(requests=10, agent=BrakeLimits(requests=3)))
    for number in range(3):
        assert driver.ask([said(str(number))], agent="a1") is None
    stopped = driver.ask([said("x")], agent="a1")
    assert stopped is not None
    assert (stopped.scope, stopped.soft) == ("agent", True)
    for number in range(3):
        assert driver.ask([said(f"go on {number}")], agent="a1") is None
    hard = driver.ask([said("y")], agent="a1")
    assert hard is not None
    assert (hard.scope, hard.soft) == ("agent", False)
    for number in range(4):
        assert driver.ask([said(str(number))]) is None
    assert driver.ask([said("z")], agent="a2") is not None


def test_a_session_stops_its_agents_until_its_main_conversation_was_stopped() -> None:
    driver = Driver(limits=limits(requests=2))
    driver.ask([said("main")])
    driver.ask([said("agent")], agent="a1")
    for agent in ("a1", "a2", "a1"):
        stopped = driver.ask([said("more")], agent=agent)
        assert stopped is not None
        assert (stopped.scope, stopped.soft) == ("session", True)
    # A title or a verdict is no place where a person reads the sentence.
    assert driver.ask([said("a title, please")], tools=False) is not None
    assert driver.ask([said("more")], agent="a2") is not None
    assert driver.ask([said("main"), said("more")]) is not None
    assert driver.ask([said("still more")], agent="a2") is None


def test_an_agents_loop_is_the_agents() -> None:
    driver = Driver()
    found = run(driver, conversation([[("Bash", {"command": "make"})]] * 60), agent="a1")
    assert found is not None
    assert (found[1].scope, found[1].unit) == ("agent", Unit.REPEATED)
    assert driver.ask([said("main")]) is None
    assert driver.ask([said("other")], agent="a2") is None


def test_sessions_of_other_users_and_clients_are_others() -> None:
    driver = Driver(limits=limits(requests=1, percent=100), user="alice")
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.user = "bob"
    assert driver.ask([said("b")]) is None
    assert driver.ask([said("c")]) is not None
    assert driver.brake.release(driver.principal, "5e55")
    driver.user = "alice"
    assert driver.ask([said("b")]) is not None
    driver.user = "mallory"
    assert not driver.brake.release(driver.principal, "5e55")
    driver.user, driver.client = "alice", "ns/other"
    assert not driver.brake.release(driver.principal, "5e55")
    assert driver.ask([said("b")]) is None


def test_a_session_that_its_client_lists_is_released_once() -> None:
    driver = Driver(limits=limits(requests=1, percent=100))
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.limits = limits(requests=1, percent=100, released=["5e55"])
    assert driver.ask([said("b")]) is None
    assert driver.ask([said("c")]) is not None
    driver.limits = limits(requests=1, percent=100)
    assert driver.ask([said("c")]) is not None
    driver.limits = limits(requests=1, percent=100, released=["5e55"])
    assert driver.ask([said("c")]) is None


def test_a_raised_limit_ends_a_hard_stop() -> None:
    driver = Driver(limits=limits(requests=1, percent=100))
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.limits = limits(requests=5, percent=100)
    assert driver.ask([said("b")]) is None


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


def test_a_session_forgets_what_was_used_longest_ago() -> None:
    sessions = Sessions(most=20, most_of_client=15)
    driver = Driver(limits=limits(requests=1), sessions=sessions)
    for client, number in [("ns/a", n) for n in range(40)] + [("ns/b", n) for n in range(10)]:
        driver.client, driver.session = client, str(number)
        driver.ask([said("hi")])
    assert len(sessions) == 20
    assert sessions.find("ns/a", "", "39") is not None
    assert sessions.find("ns/a", "", "20") is None
    assert sessions.find("ns/b", "", "0") is not None


def test_a_client_that_invents_agents_costs_its_own_sessions() -> None:
    sessions = Sessions(parts=60)
    driver = Driver(limits=limits(requests=1000), sessions=sessions)
    driver.client = "ns/b"
    driver.ask([said("hi")])
    driver.client = "ns/a"
    for number in range(200):
        driver.session = str(number // 10)
        driver.ask([said(f"hi {number}")], agent=f"a{number}")
    # Each agent is one, and its line of conversation is another.
    assert len(sessions) == 1 + 59 // 20
    assert sessions.find("ns/a", "", "19") is not None
    assert sessions.find("ns/b", "", "5e55") is not None


def test_a_session_with_an_id_of_any_length_is_found_again() -> None:
    driver = Driver(limits=limits(requests=1, repeated_tool_calls=0), session="s" * 300 + "1")
    assert driver.ask([said("hi")]) is None
    assert driver.ask([said("on")]) is not None
    driver.session = "s" * 300 + "2"
    assert driver.ask([said("hi")], agent="a" * 300) is None
    assert driver.brake.release(driver.principal, driver.session)


def test_agents_that_a_session_forgot_weigh_nothing() -> None:
    sessions = Sessions(parts=1000)
    driver = Driver(limits=limits(requests=10000), sessions=sessions)
    for number in range(2000):
        driver.ask([said(f"hi {number}")], agent=f"a{number}")
    assert len(sessions) == 1


WORDS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "")


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
