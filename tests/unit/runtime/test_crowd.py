"""Who leaves when a listener has too many connections."""

import pytest

from claude_gateway_runtime.server.crowd import Crowd, Origin


class Guest:
    """A connection that leaves when it is asked to."""

    def __init__(self, crowd: Crowd, host: str) -> None:
        self.crowd, self.asked = crowd, False
        self.origin: Origin | None = None
        self.origin = crowd.enter(self, host)

    def make_room(self) -> None:
        self.asked = True
        if self.origin is not None:
            self.crowd.rise(self, self.origin)


def asked(guests: list[Guest]) -> list[int]:
    return [number for number, guest in enumerate(guests) if guest.asked]


def test_the_longest_wait_ends_first() -> None:
    crowd = Crowd(most=2)
    guests = [Guest(crowd, host) for host in "ab"]
    crowd.rise(guests[0], guests[0].origin or Origin(""))
    guests.append(Guest(crowd, "c"))
    assert asked(guests) == [1]
    crowd.wait(guests[0], guests[0].origin or Origin(""))
    guests.append(Guest(crowd, "d"))
    assert asked(guests) == [1, 2]


def test_an_address_with_too_many_makes_room_itself() -> None:
    crowd = Crowd(most=10, most_of_one=2)
    guests = [Guest(crowd, host) for host in ("other", "a", "a", "a")]
    assert asked(guests) == [1]


def test_the_new_one_leaves_where_none_waits() -> None:
    crowd = Crowd(most=1)
    first = Guest(crowd, "a")
    crowd.rise(first, first.origin or Origin(""))
    assert asked([first, Guest(crowd, "b")]) == [1]


def test_who_left_counts_no_more() -> None:
    crowd = Crowd(most=1, most_of_one=1)
    for _ in range(3):
        guest = Guest(crowd, "a")
        assert not guest.asked
        crowd.leave(guest, guest.origin or Origin(""))


def test_without_limits_nobody_leaves() -> None:
    crowd = Crowd()
    assert asked([Guest(crowd, "a") for _ in range(100)]) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_address_is_a_host_or_its_network(one: str, other: str, same: bool) -> None:
    crowd = Crowd(most_of_one=1)
    assert asked([Guest(crowd, one), Guest(crowd, other)]) == ([0] if same else [])
