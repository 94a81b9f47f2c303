"""What one request teaches the choice for the next one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.support.builders.bundles import route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Affinity, Route
from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.routing.budget import PER_SECOND, WINDOW_SECONDS
from claude_gateway_proxy.gateway.routing.choice import Why
from claude_gateway_proxy.gateway.routing.ledger import LONG_SECONDS, Ledger, model_of
from claude_gateway_proxy.gateway.routing.order import LEAST


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Asked:
    """A request of one session."""

    route: Route
    session: str = "s"
    format: Format = Format.MESSAGES
    asked: str = "m"
    login: Sequence[tuple[bytes, bytes]] = ()
    client: Client = field(default_factory=lambda: Client(name="ns/dev"))

    @property
    def facts(self) -> Facts:
        return Facts(parse(b'{"model":"m"}'), [(b"x-claude-code-session-id", self.session.encode())])


def _targets(count: int) -> list[Target]:
    return [target(base_url=f"http://{n}", id=f"ns/m/{n}.01234567") for n in range(count)]


def test_a_session_goes_to_the_next_target_when_its_own_is_full_and_comes_back() -> None:
    ledger, request = Ledger(Clock()), Asked(route("m", targets=_targets(3)))
    choice = ledger.choose(request)
    home = choice.candidates[0].target
    assert choice.why is Why.AFFINITY
    running = [ledger.trying(choice, home, "m") for _ in range(LEAST)]
    over = ledger.choose(request)
    assert (over.why, over.candidates[0]) == (Why.OVERFLOW, choice.candidates[1])
    for each in running:
        with each:
            pass
    assert ledger.choose(request).candidates == choice.candidates


def test_a_session_moves_when_its_target_is_ejected_and_stays() -> None:
    clock = Clock()
    ledger, request = Ledger(clock), Asked(route("m", targets=_targets(3)))
    home, second, _ = (candidate.target for candidate in ledger.choose(request).candidates)
    ledger.health.failed(home.id, retry_after=5)
    moved = ledger.choose(request)
    assert (moved.why, moved.candidates[0].target) == (Why.EJECTION, second)
    ledger.answered(moved, second, "m")
    clock.now += 5
    stays = ledger.choose(request)
    assert (stays.why, stays.candidates[0].target) == (Why.AFFINITY, second)
    ledger.answered(stays, second, "m")
    assert ledger.choose(Asked(request.route, session="another")).session != stays.session
    # What another pod does, or this one after a restart.
    assert Ledger(clock).choose(request).candidates[0].target == home


def test_a_request_that_overflows_while_its_session_moves_does_not_take_it_along() -> None:
    ledger, request = Ledger(Clock()), Asked(route("m", targets=_targets(3)))
    home, second, third = (candidate.target for candidate in ledger.choose(request).candidates)
    ledger.health.failed(home.id, retry_after=5)
    running = [ledger.trying(ledger.choose(request), second, "m") for _ in range(2 * LEAST)]
    over = ledger.choose(request)
    assert over.candidates[0].target == third
    ledger.answered(over, third, "m")
    for each in running:
        with each:
            pass
    assert ledger.choose(request).candidates[0].target == second


def test_a_failover_alone_moves_nobody() -> None:
    ledger, request = Ledger(Clock()), Asked(route("m", targets=_targets(3)))
    choice = ledger.choose(request)
    ledger.health.failed(choice.candidates[0].target.id)
    ledger.answered(choice, choice.candidates[1].target, "m")
    assert ledger.choose(request).candidates == choice.candidates


@pytest.mark.parametrize(("targets", "affinity"), [(1, Affinity.SESSION), (3, Affinity.NONE)])
def test_nothing_is_remembered_where_nothing_stays_together(targets: int, affinity: Affinity) -> None:
    ledger = Ledger(Clock())
    choice = ledger.choose(Asked(route("m", targets=_targets(targets), affinity=affinity)))
    assert choice.session is None
    ledger.answered(choice, choice.candidates[0].target, "m")
    assert not ledger._moves._moved


def test_a_request_with_one_candidate_counts_nowhere() -> None:
    ledger, request = Ledger(Clock()), Asked(route("m", targets=_targets(1)))
    choice = ledger.choose(request)
    ledger.requested(choice)
    with ledger.trying(choice, choice.candidates[0].target, "m"):
        assert ledger._loads._running == {}
    assert not ledger._budget._windows


def test_a_route_has_a_budget_of_further_tries() -> None:
    ledger, request = Ledger(Clock()), Asked(route("m", targets=_targets(2)))
    choice = ledger.choose(request)
    ledger.requested(choice)
    assert sum(ledger.may_try_another(choice) for _ in range(1000)) == PER_SECOND * WINDOW_SECONDS


def test_a_failure_is_about_one_model_only_where_a_target_takes_any() -> None:
    any_model, one_model = target(base_url="http://a", model="*"), target(base_url="http://b", model="m")
    assert (model_of(any_model, "opus"), model_of(one_model, "opus")) == ("opus", "")


def test_what_lasts_is_reported_in_unix_time() -> None:
    clock = Clock()
    ledger = Ledger(clock, unix=lambda: clock.now + 5000)
    ledger.health.failed("short", retry_after=LONG_SECONDS - 1, reason="overloaded")
    ledger.health.failed("long", "m", retry_after=LONG_SECONDS, reason="rate_limited")
    assert {each.target for each in ledger.ejected()} == {"short", "long"}
    (long,) = ledger.ejected_for_long()
    assert (long.target, long.model, long.reason) == ("long", "m", "rate_limited")
    assert (long.since, long.until) == (6000, 6000 + LONG_SECONDS)
    clock.now += LONG_SECONDS
    assert ledger.ejected() == ()
    assert [each.target for each in ledger.ejected_for_long()] == ["long"]
    clock.now += LONG_SECONDS
    assert ledger.ejected_for_long() == ()


def test_what_fails_again_and_again_lasts() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    for _ in range(3):
        ledger.health.failed("t")
    while not ledger.ejected_for_long():
        clock.now += 30
        ledger.health.tried("t")
        ledger.health.failed("t")
    assert clock.now <= 1000 + 2 * LONG_SECONDS
    ledger.health.answered("t")
    assert ledger.ejected_for_long() == ()
