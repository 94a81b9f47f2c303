"""What a pod holds is bounded, for all clients together and for each one, and what ends leaves room again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.admission.load import Bounds, Held, Load
from claude_gateway_proxy.gateway.errors import Failure


def load(*, requests: tuple[int, int] = (99, 99), sizes: tuple[int, int] = (99, 99)) -> Load:
    """Bounds of the pod and of each client."""
    return Load(pod=Bounds(requests[0], sizes[0]), client=Bounds(requests[1], sizes[1]))


def test_one_request_too_many_is_answered_529_until_one_ends() -> None:
    full = load(requests=(2, 2))
    with full.enter("a"):
        with full.enter("b"), pytest.raises(Failure) as failure:
            full.enter("c")
        assert (failure.value.status, failure.value.retry, failure.value.retry_after) == (529, True, "5")
        with full.enter("c"):
            pass


def test_one_client_leaves_room_for_another() -> None:
    shared = load(requests=(3, 2))
    with shared.enter("a"), shared.enter("a"):
        with pytest.raises(Failure, match="one client"):
            shared.enter("a")
        with shared.enter("b"):
            pass


def test_the_bytes_of_bodies_are_bounded_together_and_for_each_client() -> None:
    shared = load(sizes=(100, 60))
    with shared.enter("a") as one, shared.enter("a") as two, shared.enter("b") as other:
        one.take(50)
        with pytest.raises(Failure, match="this client's"):
            two.take(11)
        two.take(10)
        other.take(40)
        with pytest.raises(Failure, match="all the memory"):
            other.take(1)
    with shared.enter("a") as again:
        again.take(60)


def test_a_declared_length_takes_no_room() -> None:
    shared = load(sizes=(100, 60))
    with shared.enter("a") as one, shared.enter("a") as two:
        for held in (one, two, one, two):
            held.check(60)
        with pytest.raises(Failure):
            one.check(61)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 80), st.booleans()), max_size=40))
def test_whatever_came_and_went_all_of_it_is_free_again(steps: list[tuple[str, int, bool]]) -> None:
    shared = load(requests=(5, 3), sizes=(100, 60))
    open_: list[Held] = []
    for client, size, leaves in steps:
        try:
            held = shared.enter(client)
        except Failure:
            held = None
        if held is not None:
            open_.append(held)
            try:
                held.take(size)
            except Failure:
                leaves = True
        if leaves and open_:
            open_.pop().__exit__(None, None, None)
    for held in open_:
        held.__exit__(None, None, None)
    with shared.enter("a") as one, shared.enter("b") as two:
        one.take(60)
        two.take(40)
