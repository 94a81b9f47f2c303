"""When each client was last used."""

from claude_gateway.contract.report import ClientUse
from claude_gateway_proxy.gateway.telemetry.uses import Uses


def test_the_last_use_of_each_client_the_latest_last() -> None:
    now = iter(range(100))
    uses = Uses(lambda: float(next(now)))
    for client in ("a", "b", "a"):
        uses.note(client)
    assert uses.report() == (ClientUse(client="b", at=1), ClientUse(client="a", at=2))


def test_the_report_is_bounded() -> None:
    uses = Uses(lambda: 0.0)
    for number in range(1000):
        uses.note(f"ns/{number}")
    assert [use.client for use in uses.report()] == [f"ns/{number}" for number in range(744, 1000)]
