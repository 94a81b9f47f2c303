"""The three keys of a login's Secret: what is read, what is refused, and that no text of theirs is ever shown."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from claude_gateway.contract.login import (
    LONGEST,
    LoginState,
    LongLivedToken,
    OAuth,
    Outcome,
    parse_credentials,
    parse_state,
    parse_token,
)

ACCESS = "sk-ant-oat01-" + "a" * 40
REFRESH = "sk-ant-ort01-" + "r" * 40
LOGIN = {
    "accessToken": ACCESS,
    "refreshToken": REFRESH,
    "expiresAt": 1_796_000_000_000,
    "refreshTokenExpiresAt": 1_798_000_000_000,
    "scopes": ["user:inference", "user:profile"],
    "subscriptionType": "max",
    "rateLimitTier": "default_claude_max_20x",
    "accountUuid": "8a9b",
    "somethingNew": {"a": 1},
}


def written(login: object, **more: object) -> bytes:
    return json.dumps({"claudeAiOauth": login, **more}).encode()


def test_reads_the_file_of_claude_code_and_ignores_what_is_new_in_it() -> None:
    login = parse_credentials(written(LOGIN, mcpOAuth={"x": 1}))
    assert isinstance(login, OAuth)
    assert (login.access_token, login.refresh_token) == (ACCESS, REFRESH)
    assert (login.subscription_type, login.rate_limit_tier) == ("max", "default_claude_max_20x")
    assert login.expires == datetime(2026, 11, 30, 0, 53, 20, tzinfo=UTC)
    assert login.refresh_expires == datetime(2026, 12, 23, 4, 26, 40, tzinfo=UTC)


def test_a_login_needs_no_more_than_a_token() -> None:
    login = parse_credentials(written({"accessToken": ACCESS}))
    assert isinstance(login, OAuth)
    assert (login.refresh_token, login.expires, login.refresh_expires, login.scopes) == (None, None, None, ())


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n \n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_reads_what_editors_write_around_it(mark: bytes, end: bytes) -> None:
    login = parse_credentials(mark + written(LOGIN) + end)
    assert isinstance(login, OAuth)
    assert login.access_token == ACCESS
    assert parse_token(mark + ACCESS.encode() + end) == LongLivedToken(access_token=ACCESS)
    assert parse_state(mark + b"{}" + end) == LoginState()


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("refreshToken", "", None),
        ("refreshToken", None, None),
        ("scopes", None, ()),
        ("scopes", "user:inference user:profile", ("user:inference", "user:profile")),
        ("expiresAt", 1_796_000_000_000.75, 1_796_000_000_000),
        ("expiresAt", "1796000000000", 1_796_000_000_000),
        ("expiresAt", None, None),
        ("subscriptionType", None, None),
        ("isMax", True, None),
    ],
)
def test_reads_older_and_hand_written_forms(field: str, value: object, read: object) -> None:
    login = parse_credentials(written({**LOGIN, field: value}))
    assert isinstance(login, OAuth)
    found = {"refreshToken": login.refresh_token, "scopes": login.scopes, "expiresAt": login.expires_at}
    assert found.get(field) == read


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "`.credentials.json` is not JSON"),
        (b"\xff\xfe", "`.credentials.json` is not JSON"),
        (b"[" * 60_000, "`.credentials.json` is not JSON"),
        (b"{}", "`claudeAiOauth` is missing"),
        (b"[1]", "`.credentials.json` is not an object with the expected fields"),
        (written(None), "`claudeAiOauth` has an unexpected value"),
        (written({"refreshToken": REFRESH}), "`claudeAiOauth.accessToken` is missing"),
        (written({**LOGIN, "accessToken": ""}), "`claudeAiOauth.accessToken` has an unexpected value"),
        (written({**LOGIN, "accessToken": ACCESS + " x"}), "`claudeAiOauth.accessToken` has an unexpected value"),
        (written({**LOGIN, "accessToken": ACCESS + "\r\nx: y"}), "`claudeAiOauth.accessToken` has an unexpected value"),
        (written({**LOGIN, "refreshToken": "\u00e9" * 20}), "`claudeAiOauth.refreshToken` has an unexpected value"),
        (written({**LOGIN, "expiresAt": 10**18}), "`claudeAiOauth.expiresAt` has an unexpected value"),
        (written({**LOGIN, "expiresAt": -1}), "`claudeAiOauth.expiresAt` has an unexpected value"),
        (written({**LOGIN, "scopes": ["x"] * 65}), "`claudeAiOauth.scopes` has an unexpected value"),
        (b" " * (LONGEST + 1), "`.credentials.json` has more than 65536 bytes"),
    ],
)
def test_says_what_is_wrong_with_the_file_and_quotes_nothing_of_it(value: bytes, says: str) -> None:
    wrong = parse_credentials(value)
    assert isinstance(wrong, str)
    assert says in wrong
    assert "sk-ant" not in wrong


def test_reads_a_token_without_the_white_space_around_it() -> None:
    assert parse_token(f" {ACCESS}\n".encode()) == LongLivedToken(access_token=ACCESS)


@pytest.mark.parametrize(
    "value", [b"", b"short", ACCESS.encode() + b" and more", b"\xff" * 40, "\u00e9".encode() * 20, b"a" * 8193]
)
def test_refuses_what_is_not_a_token(value: bytes) -> None:
    assert parse_token(value) == "`token` is not one word of 16 to 8192 characters of printable ASCII"


def test_refuses_a_token_that_is_too_long_to_look_at() -> None:
    assert parse_token(b"a" * (LONGEST + 1)) == "`token` has more than 65536 bytes"


def test_reads_the_state_and_writes_it_back() -> None:
    written: dict[str, Any] = {
        "version": 1,
        "signedInAt": "2026-11-29T10:00:00Z",
        "signedInBy": "alice@example.com",
        "refresh": {"at": "2026-11-29T11:00:00Z", "outcome": "rejected", "message": "sign in again"},
        "probe": {"at": "2026-11-29T11:00:00Z", "asked": "profile", "outcome": "ok"},
        "subscriptionType": "max",
        "windows": {"five_hour": {"utilization": 0.4, "resetsAt": "2026-11-29T15:00:00Z"}},
    }
    state = parse_state(json.dumps(written).encode())
    assert isinstance(state, LoginState)
    assert state.refresh is not None
    assert state.refresh.outcome is Outcome.REJECTED
    assert state.windows["five_hour"].utilization == 0.4
    assert parse_state(state.model_dump_json(by_alias=True, exclude_none=True).encode()) == state
    assert parse_state(b"{}") == LoginState()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"no", "`state.json` is not JSON"),
        (b'{"version": 2}', "`state.json`: `version` has an unexpected value"),
        (b'{"refresh": {"at": "2026-11-29T11:00:00Z", "outcome": "maybe"}}', "`refresh.outcome` has an unexpected"),
        (b" " * (LONGEST + 1), "`state.json` has more than 65536 bytes"),
    ],
)
def test_says_what_is_wrong_with_a_state(value: bytes, says: str) -> None:
    wrong = parse_state(value)
    assert isinstance(wrong, str)
    assert says in wrong


def test_shows_no_token() -> None:
    login = parse_credentials(written(LOGIN))
    for value in (login, parse_token(ACCESS.encode())):
        assert "sk-ant" not in f"{value!r} {value}"
