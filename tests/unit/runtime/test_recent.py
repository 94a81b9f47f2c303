"""The mapping of bounded size."""

from claude_gateway_runtime.recent import Recent


def _filled(*keys: str, most: int = 3) -> Recent[str, int]:
    recent: Recent[str, int] = Recent(most)
    for number, key in enumerate(keys):
        recent[key] = number
    return recent


def test_the_oldest_entry_is_evicted() -> None:
    assert list(_filled("a", "b", "c", "d", "e").items()) == [("c", 2), ("d", 3), ("e", 4)]


def test_setting_an_entry_counts_as_its_use() -> None:
    assert list(_filled("a", "b", "c", "a", "d")) == ["c", "a", "d"]


def test_only_used_counts_reading_as_use() -> None:
    recent = _filled("a", "b", "c")
    assert (recent.get("a"), recent["a"], recent.used("b"), recent.used("x")) == (0, 0, 1, None)
    recent["d"] = 3
    assert list(recent) == ["c", "b", "d"]


def test_a_default_is_bounded_too() -> None:
    recent = _filled("a", "b", "c")
    assert (recent.setdefault("b", 7), recent.setdefault("d", 8)) == (1, 8)
    assert list(recent) == ["b", "c", "d"]


def test_a_removed_entry_leaves_room() -> None:
    recent = _filled("a", "b", "c")
    del recent["b"]
    assert recent.pop("a") == 0
    recent["d"] = 3
    assert list(recent) == ["c", "d"]
