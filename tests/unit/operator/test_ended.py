"""Since when windows are over: by a clock that never jumps, and not while a pod is still in one."""

from claude_gateway.contract.budget import Period, window
from claude_gateway_operator.allotter import HELD_SECONDS, Ended
from claude_gateway_proxy.gateway.admission.ledger import KEPT_SECONDS

_NOW = 1_800_000_000.0
_HOUR = window(Period.HOUR, _NOW)
_LATER = _NOW + 3600


def _forgotten(ended: Ended, *, unix: float, clock: float, reported: tuple[str, ...] = ()) -> bool:
    return _HOUR.key in ended.forgotten([_HOUR.key], reported=reported, unix=unix, clock=clock)


def test_a_window_is_forgotten_when_it_was_over_for_long_enough() -> None:
    ended = Ended()
    assert not _forgotten(ended, unix=_NOW, clock=0)
    assert not _forgotten(ended, unix=_LATER, clock=1)
    assert not _forgotten(ended, unix=_LATER + 10 * HELD_SECONDS, clock=HELD_SECONDS)
    assert _forgotten(ended, unix=_LATER, clock=1 + HELD_SECONDS)


def test_a_clock_that_comes_back_begins_again() -> None:
    ended = Ended()
    assert not _forgotten(ended, unix=_LATER, clock=0)
    assert not _forgotten(ended, unix=_NOW, clock=HELD_SECONDS - 1)
    assert not _forgotten(ended, unix=_LATER, clock=HELD_SECONDS)
    assert _forgotten(ended, unix=_LATER, clock=2 * HELD_SECONDS)


def test_what_a_pod_reports_is_not_over() -> None:
    ended = Ended()
    for clock in (0, HELD_SECONDS, 9 * HELD_SECONDS):
        assert not _forgotten(ended, unix=_LATER, clock=clock, reported=(_HOUR.key,))
    assert not _forgotten(ended, unix=_LATER, clock=10 * HELD_SECONDS)


def test_what_is_no_window_is_forgotten() -> None:
    ended = Ended()
    ended.forgotten(["odd"], reported=(), unix=_NOW, clock=0)
    assert ended.forgotten(["odd"], reported=(), unix=_NOW, clock=HELD_SECONDS) == {"odd"}


def test_pods_remember_for_longer_than_windows_are_held() -> None:
    assert HELD_SECONDS < KEPT_SECONDS
