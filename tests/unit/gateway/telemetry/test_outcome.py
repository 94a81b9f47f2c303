"""The one function that decides how a request ended, as a table."""

import pytest

from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import Outcome, UpstreamError


@pytest.mark.parametrize(
    ("by", "status", "expected"),
    [
        (By.CLIENT, 0, "cancelled"),
        (By.BUG, 500, "internal_error"),
        (By.GATEWAY, 400, "client_error"),
        (By.GATEWAY, 401, "refused"),
        (By.GATEWAY, 404, "client_error"),
        (By.GATEWAY, 408, "client_error"),
        (By.GATEWAY, 413, "client_error"),
        (By.GATEWAY, 429, "refused"),
        (By.GATEWAY, 501, "client_error"),
        (By.GATEWAY, 502, "upstream_error"),
        (By.GATEWAY, 503, "refused"),
        (By.GATEWAY, 504, "timeout"),
        (By.GATEWAY, 529, "refused"),
        (By.REPLY, 400, "client_error"),
        (By.REPLY, 401, "client_error"),
        (By.REPLY, 408, "upstream_error"),
        (By.REPLY, 429, "upstream_error"),
        (By.REPLY, 500, "upstream_error"),
        (By.REPLY, 501, "client_error"),
        (By.REPLY, 504, "upstream_error"),
        (By.REPLY, 529, "upstream_error"),
        (By.JUDGE, 400, "upstream_error"),
        (By.JUDGE, 503, "upstream_error"),
        (By.JUDGE, 504, "timeout"),
    ],
)
def test_by_status(by: By, status: int, expected: Outcome) -> None:
    assert outcome(by, status=status) == expected


@pytest.mark.parametrize("kind", [None, *UpstreamError])
def test_by_kind(kind: UpstreamError | None) -> None:
    found = outcome(By.UPSTREAM, kind=kind)
    if kind is None:
        assert found == "client_error"
    elif kind in (UpstreamError.FIRST_TOKEN, UpstreamError.STALLED):
        assert found == "timeout"
    else:
        assert found == "upstream_error"
