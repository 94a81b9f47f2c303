"""What callers used: sums by hour that match what they sent, for themselves alone, and bounded."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.client import Client
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.costs.usage import HOUR, KEPT, BudgetUsage, Found, Used, no_budgets
from claude_gateway_proxy.gateway.discovery.usage import oauth_usage, usage, window_starts
from claude_gateway_proxy.gateway.telemetry.record import Record

NOW = datetime(2026, 10, 15, 12, 30, tzinfo=UTC)  # a Thursday
START = NOW.timestamp()


def _record(client: str = "ns/dev", user: str = "", model: str = "opus", cost: int = 10**9, **more: object) -> Record:
    record = Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0, client=client, user=user)
    record.billed_model, record.cost, record.input_tokens = model, cost, 10
    for name, value in more.items():
        setattr(record, name, value)
    return record


def _used(*at: tuple[float, Record], since: float = START - 40 * 86400) -> Used:
    moment = [since]
    used = Used(lambda: moment[0])
    for moment[0], record in at:
        used.note(record)
    moment[0] = START
    return used


def _asked(user: str = "") -> Principal:
    return Principal(Client(name="ns/dev"), user=user)


def _of(used: Used, user: str = "") -> Found:
    return Found("pod", used.since, list(used.of("ns/dev", user)))


def _found(*at: tuple[float, Record]) -> Found:
    return _of(_used(*at))


DAYS = tuple((START - days * 86400, _record()) for days in (20, 14, 4, 3, 1, 0))


def test_the_windows_are_those_of_the_calendar_in_utc() -> None:
    document = usage(_asked(), used=_found(*DAYS), budgets=(), now=NOW)
    windows = document["windows"]
    assert {name: each["cost_usd"] for name, each in windows.items()} == {
        "hour": "1",
        "day": "1",
        "week": "3",
        "month": "5",
    }
    assert {name: each["since"] for name, each in windows.items()} == {
        "hour": "2026-10-15T12:00:00Z",
        "day": "2026-10-15T00:00:00Z",
        "week": "2026-10-12T00:00:00Z",
        "month": "2026-10-01T00:00:00Z",
    }
    assert (document["total"]["requests"], document["total"]["input_tokens"]) == (6, 60)
    assert document["covers"] == {
        "scope": "pod",
        "what": "the pod that answered",
        "since": "2026-09-14T12:30:00Z",
        "until": "2026-10-15T12:30:00Z",
    }


def test_a_person_sees_only_what_is_theirs_and_a_client_all_of_its_own() -> None:
    at = START - 1
    used = _used(
        (at, _record(user="alice")),
        (at, _record(user="bob", model="haiku", cost=5)),
        (at, _record("ns/other")),
        since=at,
    )
    alice, dev = (usage(_asked(user), used=_of(used, user), budgets=(), now=NOW) for user in ("alice", ""))
    assert (alice["user"], alice["total"]["cost_usd"]) == ("alice", "1")
    assert (dev["user"], dev["total"]["cost_usd"]) == (None, "1.000000005")
    assert [each["model"] for each in dev["models"]] == ["opus", "haiku"]
    assert usage(_asked("carol"), used=_of(used, "carol"), budgets=(), now=NOW)["models"] == []


def test_estimates_are_shown_as_such_and_what_reached_no_target_is_not_counted() -> None:
    used = _used((START, _record(cost_certain=False)), (START, _record()), (START, _record(model="")))
    total = usage(_asked(), used=_of(used), budgets=(), now=NOW)["total"]
    assert (total["requests"], total["cost_usd"], total["estimated_usd"]) == (2, "2", "1")


def test_the_memory_is_bounded_and_says_since_when_it_is_complete() -> None:
    moment = [START - START % HOUR]
    used = Used(lambda: moment[0], most=10)
    for hour in range(20):
        used.note(_record(user=str(hour)))
        moment[0] += HOUR
    found = list(used.of("ns/dev"))
    assert len(found) == 10
    assert used.since == found[0][0]
    moment[0] += 2 * KEPT
    used.note(_record(user="late"))
    assert len(list(used.of("ns/dev"))) == 1
    assert used.since == moment[0] - KEPT


@given(
    st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 10**12), st.integers(0, 20 * 24)), max_size=30)
)
def test_sums_match(requests: list[tuple[str, int, int]]) -> None:
    ordered = sorted(requests, key=lambda each: -each[2])
    used = _used(*((START - hours * HOUR, _record(user=user, cost=cost)) for user, cost, hours in ordered))
    assert sum(found.cost for _, _, found in used.of("ns/dev")) == sum(cost for _, cost, _ in requests)
    for person in ("a", "b"):
        own = sum(cost for user, cost, _ in requests if user == person)
        assert sum(found.cost for _, _, found in used.of("ns/dev", person)) == own


def _budget(period: str = "Month", amount: int = 500, spent: int = 271, ends: int = 1_793_491_200) -> BudgetUsage:
    return BudgetUsage(f"ns/{period}", period, amount * 10**9, spent * 10**9 + 400_000_000, ends)


def test_budgets_are_shown_with_their_standing() -> None:
    shown = usage(_asked(), used=_found(), budgets=[_budget()], now=NOW)["budgets"]
    assert shown == [
        {
            "budget": "ns/Month",
            "period": "Month",
            "amount_usd": "500",
            "spent_usd": "271.4",
            "resets_at": "2026-11-01T00:00:00Z",
        }
    ]
    assert no_budgets(_asked()) == ()


def test_claude_code_reads_the_fullest_budget_in_cents() -> None:
    budgets = [_budget("Week", amount=1000), _budget()]
    assert oauth_usage(_found(), budgets=budgets, now=NOW) == {
        "extra_usage": {
            "is_enabled": True,
            "monthly_limit": 50000,
            "used_credits": 27140,
            "utilization": 54,
            "currency": "USD",
        },
        "limits": [
            {
                "kind": "spend",
                "group": "weekly",
                "percent": 27,
                "resets_at": "2026-11-01T00:00:00.000Z",
                "severity": "normal",
                "is_active": False,
            },
            {
                "kind": "spend",
                "group": "monthly",
                "percent": 54,
                "resets_at": "2026-11-01T00:00:00.000Z",
                "severity": "normal",
                "is_active": True,
            },
        ],
    }


@pytest.mark.parametrize(
    ("budget", "percent", "severity"),
    [
        (_budget(spent=380), 76, "warning"),
        (_budget(spent=500), 100, "critical"),
        (_budget(spent=600), 120, "critical"),
        (_budget(amount=0, spent=0), 100, "critical"),
    ],
)
def test_a_budget_may_be_used_up(budget: BudgetUsage, percent: int, severity: str) -> None:
    limit = oauth_usage(_found(), budgets=[budget], now=NOW)["limits"][0]
    assert (limit["percent"], limit["severity"]) == (percent, severity)


def test_without_a_budget_claude_code_reads_the_spend_of_day_week_and_month() -> None:
    found = oauth_usage(_found(*DAYS), budgets=(), now=NOW)
    assert found["limits"] == []
    extra = found["extra_usage"]
    assert (extra["used_credits"], extra["monthly_limit"], extra["utilization"]) == (500, None, None)
    assert extra["daily"] == {"limit": None, "used_credits": 100, "utilization": None}
    assert extra["weekly"] == {"limit": None, "used_credits": 300, "utilization": None}


@given(st.integers(1_577_836_800, 2_208_988_800).map(lambda at: datetime.fromtimestamp(at, UTC)))
def test_every_window_holds_the_shorter_ones(now: datetime) -> None:
    starts = window_starts(now)
    assert starts["hour"] <= now.timestamp() < starts["hour"] + HOUR
    assert max(starts["week"], starts["month"]) <= starts["day"] <= starts["hour"]
