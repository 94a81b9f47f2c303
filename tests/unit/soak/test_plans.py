"""Plans of the soak: they survive the prompt, and explain just the outcomes of the harm that they name."""

import random
from dataclasses import replace

import pytest
from tests.soak.plans import (
    BEFORE_THE_ANSWER,
    FAULTS_SHARE,
    Ending,
    Fault,
    Lane,
    Manner,
    Outcome,
    Plan,
    draw,
    read,
    unexplained,
)

PLAN = Plan(7, Lane.RELAY, Manner.WHOLE, events=10, pace=0.8, size=40, after=4)
WHOLE = Outcome(Ending.WHOLE, status=200, events=10)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_the_upstream_reads_what_was_planned(fault: Fault | None) -> None:
    plan = replace(PLAN, fault=fault)
    assert read(f'{{"content": "go on {plan.marker}"}}'.encode()) == plan


def test_a_prompt_without_a_plan_has_none() -> None:
    assert read(b'{"content": "soak-but-no-plan"}') is None


def test_faults_come_as_often_as_said_and_every_kind_comes() -> None:
    chance = random.Random(1)
    plans = [draw(number, chance) for number in range(20_000)]
    faults = [plan.fault for plan in plans if plan.fault]
    assert set(faults) == set(Fault)
    assert abs(len(faults) / len(plans) - FAULTS_SHARE) < FAULTS_SHARE / 5
    assert {plan.manner for plan in plans} == set(Manner)
    assert {plan.lane for plan in plans} == set(Lane)
    assert all(plan.after < plan.events for plan in plans)


def test_a_whole_answer_is_right_and_a_short_one_is_not() -> None:
    assert unexplained(PLAN, WHOLE) is None
    assert unexplained(PLAN, replace(WHOLE, events=9)) is not None


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Ending.ERROR, status=529),
        Outcome(Ending.ERROR, status=401),
        Outcome(Ending.ERROR_EVENT, status=200, events=3),
        Outcome(Ending.CUT, status=200, events=3),
        Outcome(Ending.GARBLED, status=200, events=3),
        Outcome(Ending.NONE),
    ],
)
def test_without_harm_every_failure_is_unexplained(outcome: Outcome) -> None:
    said = unexplained(PLAN, outcome)
    assert said is not None
    assert "request 7" in said


@pytest.mark.parametrize("fault", sorted(BEFORE_THE_ANSWER))
def test_a_fault_before_the_answer_shows_as_its_status_and_not_at_all_with_a_spare_target(fault: Fault) -> None:
    struck = replace(PLAN, fault=fault)
    assert unexplained(struck, WHOLE) is not None
    assert unexplained(struck, Outcome(Ending.CUT, status=200, events=1)) is not None
    spared = replace(struck, lane=Lane.SPARED)
    assert unexplained(spared, WHOLE) is None
    assert unexplained(spared, Outcome(Ending.ERROR, status=529)) is not None


def test_a_status_explains_itself_alone() -> None:
    busy = replace(PLAN, fault=Fault.BUSY)
    assert unexplained(busy, Outcome(Ending.ERROR, status=429)) is None
    assert unexplained(busy, Outcome(Ending.ERROR, status=529)) is not None


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.FAILED, Fault.HUNG])
def test_a_fault_within_the_stream_cuts_it_there_and_not_later(fault: Fault) -> None:
    struck = replace(PLAN, fault=fault)
    assert unexplained(struck, Outcome(Ending.ERROR_EVENT, status=200, events=4)) is None
    assert unexplained(struck, Outcome(Ending.ERROR_EVENT, status=200, events=5)) is not None
    assert unexplained(struck, Outcome(Ending.GARBLED, status=200, events=4)) is not None
    assert unexplained(struck, Outcome(Ending.WHOLE, status=200, events=10)) is not None


def test_a_retired_key_is_refused() -> None:
    retired = replace(PLAN, manner=Manner.RETIRED)
    assert unexplained(retired, Outcome(Ending.ERROR, status=401)) is None
    assert unexplained(retired, WHOLE) is not None


@pytest.mark.parametrize("manner", [Manner.LEAVES, Manner.LEAVES_EARLY])
def test_a_client_that_leaves_has_left_and_was_not_turned_away(manner: Manner) -> None:
    leaving = replace(PLAN, manner=manner)
    assert unexplained(leaving, Outcome(Ending.LEFT, events=4)) is None
    assert unexplained(leaving, Outcome(Ending.ERROR, status=529)) is not None
