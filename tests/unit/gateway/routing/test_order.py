"""Targets are tried by priority, and drawn by weight within one."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.policy import Target
from claude_gateway_proxy.gateway.routing.order import order


def _target(name: str, *, weight: int = 1, priority: int = 0) -> Target:
    return Target(id=name, provider="p", model="m", weight=weight, priority=priority)


def _all(_: str) -> bool:
    return True


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 3)), max_size=6), st.randoms(use_true_random=False))
def test_every_target_comes_once_and_priorities_never_mix(shape: list[tuple[int, int]], random: Random) -> None:
    targets = [_target(str(n), weight=weight, priority=priority) for n, (weight, priority) in enumerate(shape)]
    ordered = order(targets, random=random.random, well=_all)
    assert sorted(target.id for target in ordered) == sorted(target.id for target in targets)
    assert [target.priority for target in ordered] == sorted(target.priority for target in targets)


def test_the_first_one_is_drawn_by_weight() -> None:
    random = Random(7)
    targets = [_target("nine", weight=9), _target("one", weight=1), _target("later", weight=1000, priority=1)]
    first = Counter(order(targets, random=random.random, well=_all)[0].id for _ in range(10_000))
    assert first["later"] == 0
    assert abs(first["nine"] - 9000) < 200  # six standard deviations


def test_a_chance_next_to_one_takes_the_last() -> None:
    targets = [_target("a", weight=3), _target("b", weight=7)]
    assert order(targets, random=lambda: 1 - 2**-53, well=_all)[0].id == "b"
    assert order(targets, random=lambda: 0.0, well=_all)[0].id == "a"


def test_who_is_not_well_is_tried_last_and_in_the_same_order() -> None:
    targets = [_target("a"), _target("b", priority=1), _target("c", priority=2), _target("d", priority=3)]
    ordered = order(targets, random=lambda: 0.0, well=lambda ident: ident in ("b", "d"))
    assert [target.id for target in ordered] == ["b", "d", "a", "c"]


def test_an_only_target_is_tried_however_it_is() -> None:
    (only,) = order([_target("a")], random=lambda: 0.0, well=lambda _: False)
    assert only.id == "a"
