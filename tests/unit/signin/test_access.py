"""Keys, sessions, limits, and what each person may see."""

import pytest

from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.web.access import ATTEMPTS, Access, Person, session_secret
from claude_gateway_auth.web.rate import Rate

KEY = "key-of-the-page-0123456789"
ALICE = Credential(namespace="n", name="a", owner="Alice@example.com", method=Method.LOGIN, secret_name="s")


def access() -> Access:
    return Access(key=KEY, secret=session_secret(KEY))


def test_sessions_outlive_a_restart_and_cannot_be_forged() -> None:
    entered = access().new_session("alice@example.com", everything=False)
    cookie = access().cookie(entered)
    assert access().session(cookie) == entered
    changed = f"{cookie[:-5]}{'B' if cookie[-5] == 'A' else 'A'}{cookie[-4:]}"
    for forged in (None, "", "x.y.z", changed, Access(key=KEY, secret=b"other" * 8).cookie(entered)):
        assert access().session(forged).person is None


def test_an_ended_session_stays_ended_for_a_copy_of_its_cookie() -> None:
    doors = access()
    entered = doors.new_session("key", everything=True)
    cookie = doors.cookie(entered)
    doors.end(entered)
    assert doors.session(cookie).person is None


def test_a_form_s_token_is_of_its_session() -> None:
    doors = access()
    one, other = doors.session(None), doors.session(None)
    assert doors.is_genuine(one, doors.token(one))
    assert not doors.is_genuine(other, doors.token(one))
    assert not doors.is_genuine(one, "")
    assert not doors.is_genuine(one, "\u2603")


def test_wrong_keys_block_their_address_alone() -> None:
    doors = access()
    for _ in range(ATTEMPTS):
        assert not doors.blocked("198.51.100.7")
        assert not doors.accepts("wrong", address="198.51.100.7")
    assert doors.blocked("198.51.100.7") > 0
    assert not doors.blocked("198.51.100.8")
    assert doors.accepts(KEY, address="198.51.100.8")
    assert not Access(key=None, secret=b"s").accepts("", address="x")


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (Person("alice@example.com", "s", everything=False), True),
        (Person("bob@example.com", "s", everything=False), False),
        (Person("key", "s", everything=True), True),
    ],
)
def test_people_see_their_own_credentials(person: Person, expected: bool) -> None:
    assert person.may(ALICE) is expected


def test_a_window_slides() -> None:
    now = 0.0
    rate = Rate(2, seconds=10, clock=lambda: now)
    assert [rate.take("a"), rate.take("a"), rate.take("a")] == [0, 0, 10]
    now = 9.0
    assert rate.take("a") == 1
    now = 10.0
    assert rate.take("a") == 0
    for number in range(5000):
        rate.take(str(number))
    assert rate.take("a") == 0
