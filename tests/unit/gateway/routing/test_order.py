"""Targets are tried by priority; within one, by the request's key or drawn by weight, and none beyond its limit."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.routing.affinity import Key, names
from claude_gateway_proxy.gateway.routing.order import FACTOR, LEAST, Order, limits, order

_FIRST: Final = 0.0

Shape = list[tuple[int, int]]
_SHAPES: Final[st.SearchStrategy[Shape]] = st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 3)), max_size=6)
_KEYS: Final = st.none() | st.binary(min_size=16, max_size=16)


def _target(name: str, *, weight: int = 1, priority: int = 0) -> Target:
    return Target(id=name, provider="p", model="m", base_url=f"http://{name}", weight=weight, priority=priority)


def _targets(shape: Shape) -> list[Target]:
    return [_target(str(n), weight=weight, priority=priority) for n, (weight, priority) in enumerate(shape)]


def _ordered(
    targets: Sequence[Target],
    *,
    key: Key | None = None,
    random: Callable[[], float] = lambda: _FIRST,
    ill: Sequence[str] = (),
    load: Callable[[str], int] = lambda _: 0,
    kept: str | None = None,
) -> Order:
    return order(targets, key=key, random=random, well=lambda ident: ident not in ill, load=load, kept=kept)


def _ids(found: Order) -> list[str]:
    return [target.id for target in found.targets]


@given(_SHAPES, _KEYS, st.randoms(use_true_random=False), st.data())
def test_every_target_comes_once_and_priorities_never_mix(
    shape: Shape, key: Key | None, random: Random, data: st.DataObject
) -> None:
    targets = _targets(shape)
    loads = {target.id: data.draw(st.integers(0, 50)) for target in targets}
    found = _ordered(targets, key=key, random=random.random, load=loads.__getitem__)
    assert sorted(_ids(found)) == sorted(target.id for target in targets)
    assert [target.priority for target in found.targets] == sorted(target.priority for target in targets)
    assert not found.ejected


@given(_SHAPES, _KEYS, st.data())
def test_an_ejected_target_comes_before_no_other_one(shape: Shape, key: Key | None, data: st.DataObject) -> None:
    targets = _targets(shape)
    ill = data.draw(st.lists(st.sampled_from([target.id for target in targets]))) if targets else []
    kept = data.draw(st.sampled_from([None, *names(targets).values()]))
    found = _ordered(targets, key=key, ill=ill, kept=kept)
    if len(targets) > 1:
        keys = [(target.id in ill, target.priority) for target in found.targets]
        assert keys == sorted(keys)


def test_the_first_one_is_drawn_by_weight() -> None:
    random = Random(7)
    targets = [_target("nine", weight=9), _target("one", weight=1), _target("later", weight=1000, priority=1)]
    first = Counter(_ids(_ordered(targets, random=random.random))[0] for _ in range(10_000))
    assert first["later"] == 0
    assert abs(first["nine"] - 9000) < 200  # six standard deviations


def test_a_chance_next_to_one_takes_the_last() -> None:
    targets = [_target("a", weight=3), _target("b", weight=7)]
    assert _ids(_ordered(targets, random=lambda: 1 - 2**-53))[0] == "b"
    assert _ids(_ordered(targets))[0] == "a"


def test_who_is_ejected_is_tried_last_and_in_the_same_order() -> None:
    targets = [_target("a"), _target("b", priority=1), _target("c", priority=2), _target("d", priority=3)]
    found = _ordered(targets, ill=["a", "c"])
    assert _ids(found) == ["b", "d", "a", "c"]
    assert found.ejected


def test_an_only_target_is_tried_however_it_is() -> None:
    assert _ids(_ordered([_target("a")], ill=["a"])) == ["a"]


@given(st.lists(st.integers(1, 100), min_size=2, max_size=16), st.data())
def test_one_more_request_never_takes_a_target_beyond_its_limit(weights: list[int], data: st.DataObject) -> None:
    targets = _targets([(weight, 0) for weight in weights])
    running: Counter[str] = Counter()
    keys = data.draw(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=3))
    gone = data.draw(st.integers(2, 9))
    for number in range(200):
        limit = limits(targets, running)
        first = _ids(_ordered(targets, key=keys[number % len(keys)], load=running.__getitem__))[0]
        running[first] += 1
        assert running[first] <= limit[first]
        if number % gone == 0:
            running[first] -= 1


def test_two_hundred_requests_of_one_session_fill_its_target_and_then_the_next() -> None:
    targets = [_target("a"), _target("b"), _target("c")]
    order_of_session = _ids(_ordered(targets, key=b"session"))
    running: Counter[str] = Counter()
    full = []
    for _ in range(200):
        found = _ordered(targets, key=b"session", load=running.__getitem__)
        running[_ids(found)[0]] += 1
        full.append(found.full)
    assert [target for target, _ in running.most_common()] == order_of_session[: len(running)]
    assert max(running.values()) <= FACTOR * 200 / 3
    assert full[: LEAST + 1] == [False] * LEAST + [True]


def test_a_session_stays_where_it_moved_to_when_its_target_is_well_again() -> None:
    targets = [_target("a"), _target("b"), _target("c")]
    home, second, third = _ids(_ordered(targets, key=b"k"))
    called = names(targets)
    moved = _ordered(targets, key=b"k", ill=[home])
    assert (_ids(moved), moved.moves_to, moved.ejected) == ([second, third, home], called[second], True)
    back = _ordered(targets, key=b"k", kept=called[second])
    assert (_ids(back), back.moves_to, back.ejected) == ([second, home, third], None, False)
    still = _ordered(targets, key=b"k", ill=[home], kept=called[third])
    assert (_ids(still), still.moves_to) == ([third, second, home], None)
    again = _ordered(targets, key=b"k", ill=[second], kept=called[second])
    assert (_ids(again), again.moves_to) == ([home, third, second], called[home])


def test_a_session_of_a_target_that_is_gone_is_at_home_again() -> None:
    targets = [_target("a"), _target("b"), _target("c")]
    assert _ids(_ordered(targets, key=b"k", kept="gone")) == _ids(_ordered(targets, key=b"k"))


def test_where_nobody_is_well_the_session_is_at_home() -> None:
    targets = [_target("a"), _target("b"), _target("c", priority=1)]
    found = _ordered(targets, key=b"k", ill=["a", "b", "c"])
    assert _ids(found) == _ids(_ordered(targets, key=b"k"))
    assert found.moves_to is None
