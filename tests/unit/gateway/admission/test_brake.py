"""The brake: when a session is stopped, softly and for good."""

import msgspec
import pytest
from tests.support.builders import calls
from tests.support.builders.braked import Driver, limits, said

from claude_gateway.contract.client import Client
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway_proxy.gateway.admission.admission import Usage
from claude_gateway_proxy.gateway.admission.brake.brake import Brake
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.errors import Failure


def test_without_a_brake_or_without_a_session_nothing_is_remembered() -> None:
    free = Driver(limits=None)
    assert free.ask([said("hi")]) is None
    nameless = Driver(session="")
    assert nameless.ask([said("hi")]) is None
    assert len(free.sessions) == len(nameless.sessions) == 0


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


def test_requests_that_nobody_answered_do_not_count() -> None:
    brake = Brake(lambda: 0.0)
    client = Client(name="ns/dev", brake=limits(requests=2))
    call = calls.call(headers=[(b"x-claude-code-session-id", b"5e55")])
    call = msgspec.structs.replace(call, principal=Principal(client))
    for usage in (Usage(), Usage(answered=True), Usage(), Usage(), Usage(answered=True)):
        for watch in brake.charges(call):
            watch.ended(usage)
    with pytest.raises(Failure, match="made 2 requests"):
        brake.charges(call)


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


def test_a_raised_limit_ends_a_hard_stop() -> None:
    driver = Driver(limits=limits(requests=1, percent=100))
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.limits = limits(requests=5, percent=100)
    assert driver.ask([said("b")]) is None
