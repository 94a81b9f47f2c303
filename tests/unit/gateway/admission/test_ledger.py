"""The accounts of one process: what is kept of a period that is over, and of one that only seemed to be."""

from claude_gateway.contract.budget import Window
from claude_gateway_proxy.gateway.admission.ledger import KEPT_SECONDS, Ledger

_DAY = 24 * 3600
_TODAY = Window(0, _DAY)


def _ledger(*, reserved: int = 0) -> Ledger:
    ledger = Ledger(None, now=0)
    account = ledger.account("ns/blue", _TODAY)
    account.spent, account.reserved = 5, reserved
    return ledger


def test_an_account_is_forgotten_an_hour_after_its_window() -> None:
    ledger = _ledger()
    ledger.sweep(unix=_DAY, clock=100)
    ledger.sweep(unix=_DAY + KEPT_SECONDS, clock=99 + KEPT_SECONDS)
    assert [account.spent for account in ledger.accounts.values()] == [5]
    ledger.sweep(unix=_DAY + KEPT_SECONDS + 1, clock=100 + KEPT_SECONDS)
    assert not ledger.accounts


def test_a_clock_that_jumps_ahead_and_back_forgets_nothing() -> None:
    ledger = _ledger()
    for clock, unix in ((0, 1), (1, 400 * _DAY), (2, 2), (3, 400 * _DAY), (2 + KEPT_SECONDS, 400 * _DAY)):
        ledger.sweep(unix=unix, clock=clock)
    assert ledger.account("ns/blue", _TODAY).spent == 5


def test_an_account_of_a_request_that_still_runs_is_kept() -> None:
    ledger = _ledger(reserved=1)
    for hours in range(3):
        ledger.sweep(unix=2 * _DAY, clock=hours * KEPT_SECONDS)
    assert ledger.account("ns/blue", _TODAY).reserved == 1
