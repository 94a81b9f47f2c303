"""What an upstream's error says about the gateway's credential, and what is remembered of it."""

import json
from typing import Any

import pytest

from claude_gateway.contract.login import Outcome
from claude_gateway.names import HEADER_LOGIN_STATE, LOGIN_REJECTED
from claude_gateway_proxy.gateway.telemetry.credentials import Credentials, rejects


def anthropic(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def google(status: str, reason: str) -> bytes:
    error = {"code": 403, "status": status, "message": "m", "details": [{"reason": reason}, "odd", {}]}
    return json.dumps([{"error": error}]).encode()


_REJECTS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "401 whatever it says": (401, {}, b"<html>"),
    "a revoked login": (403, {}, anthropic("permission_error", "OAuth token has been revoked.")),
    "a scope that is missing": (403, {}, anthropic("permission_error", "OAuth token does not meet scope requirement")),
    "a disabled organization": (403, {}, anthropic("permission_error", "This organization has been disabled.")),
    "authentication at 403": (403, {}, anthropic("authentication_error", "m")),
    "keys that AWS does not know": (403, {"x-amzn-ErrorType": "UnrecognizedClientException:http://x"}, b"{}"),
    "a session that ended": (403, {}, b'{"__type": "ExpiredTokenException", "message": "m"}'),
    "a project whose billing is off": (403, {}, google("PERMISSION_DENIED", "BILLING_DISABLED")),
    "OpenAI's code": (403, {}, b'{"error": {"code": "account_deactivated", "type": "x", "message": "m"}}'),
    "a login that the backend says was refused": (502, {HEADER_LOGIN_STATE: LOGIN_REJECTED}, b""),
}
_ABOUT_THE_REQUEST: dict[str, tuple[int, dict[str, str], bytes]] = {
    "flagged content": (403, {}, anthropic("permission_error", "Your request was flagged by our content policy")),
    "a quoted prompt": (
        403,
        {},
        b'{"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "API key is invalid"}}}',
    ),
    "a quoted prompt in the message": (
        403,
        {},
        b'{"error": {"message": "flagged: my API key is invalid", "code": 403}}',
    ),
    "a model that the account may not use": (403, {"x-amzn-errortype": "AccessDeniedException"}, b'{"message": "m"}'),
    "a model that the key may not use": (403, {}, anthropic("permission_error", "No access to this model")),
    "a page of a firewall": (403, {}, b"<html>Your token is invalid</html>"),
    "a country": (403, {}, b'{"error": {"code": "unsupported_country_region_territory", "message": "m"}}'),
    "a rate limit": (429, {}, anthropic("rate_limit_error", "Your account is suspended")),
    "a bad request": (400, {}, anthropic("authentication_error", "m")),
    "an odd document": (403, {}, b'{"error": {"type": ["permission_error"], "message": 7}}'),
    "a message that is not text": (403, {}, b'{"error": {"type": "permission_error", "message": 7}}'),
    "not an object": (403, {}, b"[]"),
    "a huge document": (403, {}, anthropic("authentication_error", "x" * 100_000)),
}


def _asked(case: tuple[int, dict[str, str], bytes]) -> bool:
    status, headers, body = case
    return rejects(status, [(name.encode(), value.encode()) for name, value in headers.items()], body)


@pytest.mark.parametrize("case", _REJECTS.values(), ids=_REJECTS)
def test_errors_about_the_credential(case: Any) -> None:
    assert _asked(case)


@pytest.mark.parametrize("case", _ABOUT_THE_REQUEST.values(), ids=_ABOUT_THE_REQUEST)
def test_errors_about_the_request(case: Any) -> None:
    assert not _asked(case)


def test_the_last_answer_counts() -> None:
    now = [1000.0]
    memory = Credentials(lambda: now[0])
    memory.accepted("a", asked="Messages")
    first = memory.report()["a"]
    memory.accepted("a", asked="Chat")
    assert memory.report()["a"] is first
    memory.failed("a", Outcome.REJECTED, asked="Messages", answer="401 " + "x" * 1000)
    rejected = memory.report()["a"]
    assert (rejected.outcome, len(rejected.answer)) == (Outcome.REJECTED, 160)
    memory.accepted("a", asked="Chat")
    assert memory.report()["a"].outcome is Outcome.OK
    now[0] += 61
    memory.accepted("a", asked="Messages")
    assert memory.report()["a"].at == 1061


def test_no_more_is_remembered_than_reports_hold() -> None:
    memory = Credentials(lambda: 0.0)
    for number in range(300):
        memory.accepted(f"c{number}", asked="Messages")
    assert list(memory.report()) == [f"c{number}" for number in range(44, 300)]
