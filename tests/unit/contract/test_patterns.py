"""Patterns of model names."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_gateway.contract.patterns import STAR, Pattern, Patterns, matches

_LONGEST = 253
"""Characters of a name or a pattern that users may write."""

_patterns = st.text("ab*", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("*", "", True), ("a.b", "axb", False), ("a*c", "abc", True), ("a*", "ba", False), ("*[1m]", "x[1m]", True)],
)
def test_only_a_star_is_special(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


@given(pattern=_patterns, name=st.text("ab", max_size=8))
def test_a_pattern_matches_as_fnmatch_says(pattern: str, name: str) -> None:
    assert matches(pattern, name) == fnmatchcase(name, pattern)


@given(wide=_patterns, narrow=_patterns, filling=st.lists(st.text("abc", max_size=3), min_size=8, max_size=8))
@example(wide="a*a", narrow="a", filling=[""] * 8)
def test_a_pattern_that_matches_another_matches_every_name_of_it(wide: str, narrow: str, filling: list[str]) -> None:
    literal = narrow
    for text in filling:
        literal = literal.replace(STAR, text, 1)
    if matches(wide, narrow):
        assert matches(wide, literal)
    # A letter that no pattern holds can only be covered by a star.
    assert matches(wide, narrow) == matches(wide, narrow.replace(STAR, "~"))


@pytest.mark.parametrize("stars", ["a*" * 126, "*a" * 126, "*" * 252, "aa*" * 84])
def test_stars_never_make_it_try_again(stars: str) -> None:
    """A backtracking matcher would not end before the test run does."""
    assert not matches(stars + "b", "a" * _LONGEST)
    assert not matches(stars + "b", stars + "a")
    assert matches(stars + "*", "a" * _LONGEST)


class _Counted(str):
    """A name that counts the searches in it."""

    __slots__ = ("searches",)

    def find(self, *args: Any) -> int:
        self.searches = getattr(self, "searches", 0) + 1
        return super().find(*args)


def test_each_part_between_stars_is_searched_for_once() -> None:
    name = _Counted("a" * _LONGEST)
    assert not Pattern.of("*" + "a*" * 100 + "b*").matches(name)
    assert name.searches == 101


def test_the_index_finds_patterns_that_a_name_begins_like() -> None:
    index: Patterns[int] = Patterns()
    for value, text in enumerate(("*", "claude-*", "*-haiku", "claude-*-haiku", "gpt-*")):
        index.add(text, value)
    found = {name: {value for _, value in index.candidates(name)} for name in ("x", "claude-x", "gpt")}
    assert found == {"x": {0, 2}, "claude-x": {0, 1, 2, 3}, "gpt": {0, 2}}
    matching = [pattern for pattern, _ in index.candidates("claude-x-haiku") if pattern.matches("claude-x-haiku")]
    assert min(pattern.rank for pattern in matching) == Pattern.of("claude-*-haiku").rank
