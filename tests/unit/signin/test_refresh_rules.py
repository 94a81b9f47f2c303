"""When a login is refreshed, and how long failures wait."""

from datetime import UTC, datetime, timedelta

import pytest

from claude_gateway.contract.login import LoginState, OAuth, Outcome, Probe, Refresh
from claude_gateway_auth import state as states
from claude_gateway_auth.refresh import Attempts, due

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def login(*, seconds: float | None = 0, refresh: str | None = "sk-ant-ort01-0123456789") -> OAuth:
    ends = None if seconds is None else int((NOW.timestamp() + seconds) * 1000)
    return OAuth(access_token="sk-ant-oat01-0123456789", refresh_token=refresh, expires_at=ends)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (login(seconds=3599), True),
        (login(seconds=-5), True),
        (login(seconds=3601), False),
        (login(seconds=None), False),
        (login(refresh=None), False),
    ],
)
def test_a_login_is_refreshed_an_hour_before_its_end(found: OAuth, expected: bool) -> None:
    assert due(found, False, Attempts(), early=HOUR, now=NOW) is expected


def test_a_rejected_login_waits_for_a_person() -> None:
    assert not due(login(), True, Attempts(), early=HOUR, now=NOW)


def test_failures_wait_twice_as_long_each_time_up_to_a_bound() -> None:
    attempts, waits = Attempts(), []
    for _ in range(12):
        attempts = attempts.failed(NOW)
        assert attempts.not_before is not None
        waits.append((attempts.not_before - NOW).total_seconds())
        assert not due(login(), False, attempts, early=HOUR, now=NOW)
        assert due(login(), False, attempts, early=HOUR, now=attempts.not_before)
    assert waits[:4] == [15, 30, 60, 120]
    assert waits[-1] == 900


def test_a_clock_that_was_set_back_makes_no_failure_wait_longer() -> None:
    attempts = Attempts().failed(NOW)
    earlier = NOW - timedelta(days=1)
    assert not due(login(seconds=-90_000), False, attempts, early=HOUR, now=NOW)
    assert due(login(seconds=-90_000), False, attempts, early=HOUR, now=earlier)


def test_only_the_cli_s_own_blanks_are_a_rejection() -> None:
    assert states.blank(b'{"claudeAiOauth": {"accessToken": "", "refreshToken": ""}}')
    for other in (b"", b"{}", b"[]", b'{"claudeAiOauth": {"accessToken": "sk"}}'):
        assert not states.blank(other)


def test_a_person_is_needed_after_a_rejection_or_the_end_of_the_login() -> None:
    rejected = Refresh(at=NOW, outcome=Outcome.REJECTED)
    away = Refresh(at=NOW, outcome=Outcome.UNAVAILABLE)
    assert states.needs_person(LoginState(refresh=rejected), NOW, None)
    assert states.needs_person(LoginState(probe=Probe(at=NOW, outcome=Outcome.REJECTED)), NOW, None)
    assert states.needs_person(LoginState(), NOW, NOW)
    assert not states.needs_person(LoginState(refresh=away), NOW, NOW + HOUR)


def test_a_copy_for_the_cli_ends_now_and_is_otherwise_the_same() -> None:
    copy = states.due_for_refresh(b'{"claudeAiOauth": {"accessToken": "a", "expiresAt": 5}, "x": 1}', NOW)
    assert copy == b'{"claudeAiOauth": {"accessToken": "a", "expiresAt": 1795953600000}, "x": 1}'
