"""The gateway remembers what upstreams say to its credentials, over every lane, and forgets what is no longer true."""

import json
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, gateway, upstream, whole

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.login import Outcome
from claude_gateway.contract.target import Wire

_KEY = b"sk-test-upstream-key-0123456789"
_ENTRY = secret_entry("ns.key", _KEY)
_NAME = "ns/anthropic.01234567"
_ASK = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_ANSWER = b'{"id":"msg_1", "content":[],"usage":{"input_tokens":5,"output_tokens":7}}'


def error(status: str, kind: str, message: str, headers: str = "") -> Any:
    """An error of Anthropic's."""
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    return whole(body, status=status, headers=f"content-type: application/json\r\n{headers}")


_GOOD = whole(_ANSWER)
_BAD_KEY = error("401 Unauthorized", "authentication_error", f"invalid x-api-key {_KEY.decode()}")
_FLAGGED = error(
    "403 Forbidden", "permission_error", "This prompt was flagged by our usage policy: API keys are invalid"
)
_LOGIN = error("502 Bad Gateway", "api_error", "sign in again", "x-claude-gateway-login: rejected\r\n")
_BUSY = error("529 Overloaded", "overloaded_error", "busy")


async def ask(gw: Gateway, times: int) -> list[Outcome | None]:
    """Send requests; returns what is remembered after each."""
    found = []
    for _ in range(times):
        answer = await gw.post("/v1/messages", _ASK)
        await answer.read()
        report = gw.exchange.credentials.report().get(_NAME)
        found.append(None if report is None else report.outcome)
    return found


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([_GOOD], [Outcome.OK]),
        ([_BAD_KEY, _GOOD], [Outcome.REJECTED, Outcome.OK]),
        ([_GOOD, _FLAGGED], [Outcome.OK, Outcome.OK]),
        ([_FLAGGED], [None]),
        ([_LOGIN], [Outcome.REJECTED]),
        ([_BUSY, _GOOD, _BUSY], [None, Outcome.OK, Outcome.OK]),
    ],
)
async def test_what_an_upstream_says(replies: list[Any], expected: list[Outcome | None]) -> None:
    async with upstream(*replies) as up:
        given = target(base_url=up.url, secret=_ENTRY, credential=_NAME)
        async with gateway(route("*", targets=[given]), secrets={_ENTRY: _KEY}) as gw:
            assert await ask(gw, len(replies)) == expected
            assert _KEY.decode() not in repr(gw.exchange.credentials.report())


async def test_a_clients_own_login_says_nothing_about_a_credential_of_ours() -> None:
    async with upstream(_BAD_KEY) as up:
        given = target(base_url=up.url, forward_client_token=True)
        async with gateway(route("*", targets=[given])) as gw:
            answer = await gw.post("/v1/messages", _ASK, headers={"x-gateway-key": "x", "x-api-key": "theirs"})
            await answer.read()
            assert gw.exchange.credentials.report() == {}


async def test_an_identity_that_cannot_be_had_is_no_rejection_by_the_upstream() -> None:
    aws = b'{"neither": "keys nor a token"}'
    entry = secret_entry("ns.aws", aws)
    async with upstream(_GOOD) as up:
        given = target(wire=Wire.BEDROCK, base_url=up.url, secret=entry, aws={"region": "us-east-1"}, credential=_NAME)
        async with gateway(route("*", targets=[given]), secrets={entry: aws}) as gw:
            assert await ask(gw, 1) == [Outcome.UNAVAILABLE]
