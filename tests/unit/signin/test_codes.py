"""Devices that wait for a person: codes, their end, and how fast a device may ask."""

import pytest

from claude_gateway_auth.devices.codes import INTERVAL_SECONDS, LIFETIME_SECONDS, Answer, Devices, FullError
from claude_gateway_auth.oidc import Identity

ADA = Identity("1", "ada@example.com")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def devices(clock: Clock) -> Devices:
    return Devices(clock)


def test_a_code_is_found_however_it_is_typed(devices: Devices) -> None:
    code = devices.begin().user_code
    for typed in (code, code.lower(), code.replace("-", ""), f" {code[:4]} {code[5:]} "):
        found = devices.find(typed)
        assert found is not None
        assert found.user_code == code
    for other in ("", "BBBB-BBBB", code[:4], "x" * 10_000):
        assert devices.find(other) is None


def test_a_code_ends(devices: Devices, clock: Clock) -> None:
    begun = devices.begin()
    clock.now = LIFETIME_SECONDS - 1.0
    assert devices.find(begun.user_code) is not None
    clock.now = LIFETIME_SECONDS
    assert devices.find(begun.user_code) is None
    assert devices.poll(begun.device_code) is Answer.EXPIRED


def test_a_device_that_asks_too_often_waits_longer(devices: Devices, clock: Clock) -> None:
    begun = devices.begin()
    assert devices.poll(begun.device_code) is Answer.PENDING
    clock.now = INTERVAL_SECONDS - 0.1
    assert devices.poll(begun.device_code) is Answer.SLOW_DOWN
    clock.now += INTERVAL_SECONDS
    assert devices.poll(begun.device_code) is Answer.SLOW_DOWN, "the interval is longer now"
    clock.now += 4 * INTERVAL_SECONDS
    assert devices.poll(begun.device_code) is Answer.PENDING


@pytest.mark.parametrize(("approved", "answer"), [(True, ADA), (False, Answer.DENIED)])
def test_a_decision_is_returned_once(devices: Devices, approved: bool, answer: object) -> None:
    begun = devices.begin()
    waiting = devices.find(begun.user_code)
    assert waiting is not None
    waiting.identity, waiting.approved = ADA, approved
    assert devices.find(begun.user_code) is None, "nobody decides twice"
    assert devices.poll(begun.device_code) == answer
    assert devices.poll(begun.device_code) is Answer.EXPIRED


def test_only_so_many_wait(devices: Devices, clock: Clock) -> None:
    for _ in range(2_000):
        devices.begin()
    with pytest.raises(FullError):
        devices.begin()
    clock.now = LIFETIME_SECONDS
    assert devices.begin().user_code
