"""The mapping of bounded size."""

from claude_gateway_runtime.bounded_dict import BoundedDict


def _filled(*keys: str, most: int = 3) -> BoundedDict[str, int]:
    bounded: BoundedDict[str, int] = BoundedDict(most)
    for number, key in enumerate(keys):
        bounded[key] = number
    return bounded


def test_the_oldest_entry_is_evicted() -> None:
    assert list(_filled("a", "b", "c", "d", "e").items()) == [("c", 2), ("d", 3), ("e", 4)]


def test_setting_an_entry_counts_as_its_use() -> None:
    assert list(_filled("a", "b", "c", "a", "d")) == ["c", "a", "d"]


def test_only_used_counts_reading_as_use() -> None:
    bounded = _filled("a", "b", "c")
    assert (bounded.get("a"), bounded["a"], bounded.used("b"), bounded.used("x")) == (0, 0, 1, None)
    bounded["d"] = 3
    assert list(bounded) == ["c", "b", "d"]


def test_a_default_is_bounded_too() -> None:
    bounded = _filled("a", "b", "c")
    assert (bounded.setdefault("b", 7), bounded.setdefault("d", 8)) == (1, 8)
    assert list(bounded) == ["b", "c", "d"]


def test_a_removed_entry_leaves_room() -> None:
    bounded = _filled("a", "b", "c")
    del bounded["b"]
    assert bounded.pop("a") == 0
    bounded["d"] = 3
    assert list(bounded) == ["c", "d"]
