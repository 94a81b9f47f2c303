"""Sessions that left an ejected target are remembered for as long as they are active, and only so many of them."""

import pytest

from claude_gateway_proxy.gateway.routing import moves
from claude_gateway_proxy.gateway.routing.moves import KEPT_SECONDS, Moves

_SESSION = ("ns/r", "", b"key")


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def test_only_a_session_whose_target_is_ejected_is_remembered() -> None:
    memory = Moves(Clock())
    memory.answered(_SESSION, "home", moved=False)
    assert memory.target_of(_SESSION) is None
    memory.answered(_SESSION, "b", moved=True)
    assert memory.target_of(_SESSION) == "b"
    assert memory.target_of(("ns/other", "", b"key")) is None


def test_an_answer_of_another_target_does_not_take_the_session_along() -> None:
    memory = Moves(Clock())
    memory.answered(_SESSION, "b", moved=True)
    memory.answered(_SESSION, "c", moved=False)
    assert memory.target_of(_SESSION) == "b"
    memory.answered(_SESSION, "c", moved=True)
    assert memory.target_of(_SESSION) == "c"


def test_a_session_is_remembered_while_it_is_active() -> None:
    clock = Clock()
    memory = Moves(clock)
    memory.answered(_SESSION, "b", moved=True)
    for _ in range(3):
        clock.now += KEPT_SECONDS - 1
        assert memory.target_of(_SESSION) == "b"
        memory.answered(_SESSION, "b", moved=False)
    clock.now += KEPT_SECONDS
    assert memory.target_of(_SESSION) is None
    memory.answered(_SESSION, "b", moved=False)
    assert memory.target_of(_SESSION) is None


def test_the_one_whose_last_request_is_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "MOST", 3)
    memory = Moves(Clock())
    sessions = [("ns/r", "", b"%d" % n) for n in range(4)]
    for session in sessions[:3]:
        memory.answered(session, "b", moved=True)
    memory.answered(sessions[0], "b", moved=False)
    memory.answered(sessions[3], "b", moved=True)
    assert [memory.target_of(session) for session in sessions] == ["b", None, "b", "b"]
