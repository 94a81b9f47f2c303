"""A Budget's status says what was spent, at most once a minute, and at once where a threshold was passed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.builders.objects import NOW, budget, client, credential, route, secret, target

from claude_gateway.contract.budget import Period, Spending, Window, window
from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import ConditionType, Kind
from claude_gateway.plan.budgets.budget_status import known
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.status.budget_details import BudgetDetails, read_budget
from claude_gateway.plan.status.programmed import PodState
from claude_gateway.plan.world import Settings
from claude_gateway_operator.status_writer import document

_RULES = Settings(release="cg", strict=False)
_CENT = 10_000_000
_DAY = window(Period.DAY, NOW.timestamp())


def _decided(
    spent: int | None, *, now: datetime = NOW, status: Any = None, within: Window = _DAY, more: Any = (), **fields: Any
) -> Plan:
    written = {
        **budget(**{"amount": "10", "period": "Day", **fields}),
        **({} if status is None else {"status": status}),
    }
    pods = (PodState("a", ready=True, report=PodReport(gateway=ProcessReport())),)
    spending = {} if spent is None else {"default/everyone": Spending(within, spent)}
    return decide(replace(read([written, *more], _RULES), pods=pods, spending=spending), now)


def _written(decided: Plan) -> Any:
    """The status as it is applied; None if there is nothing to write."""
    return next((document(write)["status"] for write in decided.changed if write.object.kind == Kind.BUDGET), None)


def test_the_status_says_what_was_spent_of_what_and_until_when() -> None:
    status = _written(_decided(250 * _CENT + 1_000))
    expected = {
        "spent": "2.500001",
        "amount": "10.00",
        "usedPercent": 25,
        "startedAt": "2026-11-21T00:00:00Z",
        "resetsAt": "2026-11-22T00:00:00Z",
        "updatedAt": "2026-11-21T09:30:00Z",
    }
    assert status["budget"] == expected
    assert status["gateways"][0]["budget"] == expected


def test_nothing_is_said_before_something_is_known() -> None:
    assert "budget" not in _written(_decided(None))


def test_a_spend_stays_for_a_minute() -> None:
    status = _written(_decided(250 * _CENT))
    soon, later = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
    assert _written(_decided(300 * _CENT, now=soon, status=status)) is None
    assert _written(_decided(250 * _CENT, now=later, status=status)) is None, "nothing was spent"
    assert _written(_decided(300 * _CENT, now=later, status=status))["budget"]["spent"] == "3.00"
    assert _written(_decided(None, now=later, status=status)) is None, "a new operator knows nothing yet"


@pytest.mark.parametrize(("spent", "percent"), [(750, 75), (950, 95), (1000, 100), (1100, 110)])
def test_a_threshold_is_reported_at_once(spent: int, percent: int) -> None:
    status = _written(_decided(700 * _CENT))
    found = _written(_decided(spent * _CENT, now=NOW + timedelta(seconds=1), status=status))
    assert found["budget"]["usedPercent"] == percent


def test_so_are_another_amount_and_a_new_window() -> None:
    status = _written(_decided(700 * _CENT))
    soon = NOW + timedelta(seconds=1)
    next_day = window(Period.DAY, NOW.timestamp() + 86400)
    assert _written(_decided(701 * _CENT, now=soon, status=status, amount="11"))["budget"]["amount"] == "11.00"
    assert _written(_decided(0, now=soon, status=status, within=next_day))["budget"]["spent"] == "0.00"


def test_a_status_that_somebody_else_wrote_is_replaced() -> None:
    status = _written(_decided(700 * _CENT))
    status["gateways"][0]["budget"]["updatedAt"] = "soon"
    assert _written(_decided(701 * _CENT, status=status))["budget"]["spent"] == "7.01"


def _known(status: Any) -> dict[str, Spending]:
    written = budget(amount="10", period="Day")
    return known(read([written if status is None else {**written, "status": status}], _RULES))


def test_what_a_status_says_is_known_to_an_operator_that_starts() -> None:
    status = _written(_decided(250 * _CENT))
    assert _known(status) == {"default/everyone": Spending(_DAY, 250 * _CENT)}
    assert _known(None) == {}


@pytest.mark.parametrize(("field", "value"), [("spent", "much"), ("startedAt", "soon"), ("resetsAt", "never")])
def test_a_spend_that_somebody_else_wrote_is_not(field: str, value: str) -> None:
    status = _written(_decided(250 * _CENT))
    status["gateways"][0]["budget"][field] = value
    assert _known(status) == {}


def _condition(decided: Plan) -> tuple[str, str] | None:
    (status,) = [each for each in decided.statuses if each.object.kind == Kind.BUDGET]
    return next(((c.status, c.message) for c in status.conditions if c.type == ConditionType.SPENT), None)


def test_a_spent_budget_has_a_condition_that_says_what_happens_now() -> None:
    found = _condition(_decided(1000 * _CENT))
    assert found == (
        "True",
        "The 10.00 dollars of this day are spent. The next one begins at 2026-11-22T00:00:00Z; requests are rejected "
        "until then.",
    )
    warned = _condition(_decided(1000 * _CENT, action="Warn"))
    assert warned is not None
    assert "served with a warning" in warned[1]
    serving = [secret(), credential(), client(), route(models=["haiku"], targets=[target()])]
    routed = _condition(_decided(1000 * _CENT, action="Route", routeTo="haiku", more=serving))
    assert routed is not None
    assert "the model `haiku` serves" in routed[1]


@pytest.mark.parametrize(
    ("spent", "within"),
    [(999 * _CENT, _DAY), (None, _DAY), (1000 * _CENT, window(Period.DAY, NOW.timestamp() - 86400))],
)
def test_a_budget_with_something_left_has_no_such_condition(spent: int | None, within: Window) -> None:
    assert _condition(_decided(spent, within=within)) is None


def test_the_operator_decides_again_within_a_minute_or_when_the_window_ends() -> None:
    assert _decided(None).wake_at is None
    assert _decided(1).wake_at == NOW + timedelta(minutes=1)
    ending = Window(0, int(NOW.timestamp()) + 20)
    assert _decided(1, within=ending).wake_at == NOW + timedelta(seconds=20)
    assert _decided(1, within=Window(0, int(NOW.timestamp()) - 20)).wake_at is None


def test_what_is_not_written_by_a_release_is_not_read() -> None:
    whole = {"spent": "1.00", "amount": "2", "usedPercent": 50, "startedAt": "", "resetsAt": "", "updatedAt": ""}
    found = read_budget(whole)
    assert found is not None
    assert found.nanodollars == 1_000_000_000
    incomplete: list[object] = [
        None,
        [],
        {**whole, "usedPercent": "50"},
        {**whole, "usedPercent": True},
        {**whole, "spent": 1},
    ]
    for broken in incomplete:
        assert read_budget(broken) is None
    assert BudgetDetails("a lot", "", 0, "", "", "").nanodollars is None


def test_of_two_releases_the_newer_window_and_the_higher_spend_are_shown() -> None:
    status = _written(_decided(700 * _CENT))
    other = {**status["gateways"][0], "namespace": "other"}
    higher = {**other, "budget": {**other["budget"], "usedPercent": 99, "spent": "9.90"}}
    decided = _decided(700 * _CENT, status={**status, "gateways": [*status["gateways"], higher]})
    assert _written(decided)["budget"]["spent"] == "9.90"


@pytest.mark.parametrize(
    ("period", "begins", "ends"),
    [
        (Period.HOUR, datetime(2028, 2, 29, 23, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (Period.DAY, datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (Period.WEEK, datetime(2028, 2, 28, tzinfo=UTC), datetime(2028, 3, 6, tzinfo=UTC)),
        (Period.MONTH, datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_windows_follow_the_calendar_of_utc(period: Period, begins: datetime, ends: datetime) -> None:
    found = window(period, datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC).timestamp() + 0.999)
    assert found == Window(int(begins.timestamp()), int(ends.timestamp()))
    assert window(period, ends.timestamp()).begins_at == found.ends_at
    assert window(period, begins.timestamp()) == found


def test_windows_of_different_periods_are_never_taken_for_each_other() -> None:
    monday = datetime(2027, 2, 1, tzinfo=UTC).timestamp()
    assert len({window(period, monday).key for period in Period}) == len(Period)
