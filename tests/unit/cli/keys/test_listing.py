"""Lists of people and hashes: what is added is read by the planner, and only the person's lines are removed."""

import hashlib
from datetime import UTC, date, datetime

from claude_gateway.cli.keys import listing
from claude_gateway.cli.keys.listing import Entry
from claude_gateway.cli.keys.people import Person

TODAY = date(2026, 11, 29)
END = datetime(2027, 2, 27, 12, 0, tzinfo=UTC)
KEY = "cgw_listed-0123456789abcdef"


def two() -> str:
    first = listing.added("", [(Person("alice@example.com", "platform"), KEY)], today=TODAY, expires=END)
    return listing.added(first, [(Person("bob"), "cgw_other")], today=date(2026, 12, 1), expires=None)


def test_a_line_has_the_hash_and_never_the_key() -> None:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    lines = two().splitlines()
    assert lines[:2] == [
        "# 2026-11-29",
        f"alice@example.com sha256:{digest} team=platform expires=2027-02-27T12:00:00Z",
    ]
    assert KEY not in two()


def test_entries_have_their_age_and_end() -> None:
    assert list(listing.entries(two())) == [
        Entry("alice@example.com", "platform", TODAY, END),
        Entry("bob", "", date(2026, 12, 1), None),
    ]
    shown = [entry.shown(date(2027, 3, 1)) for entry in listing.entries(two())]
    assert shown == [
        "alice@example.com  team platform  2026-11-29 (92 d old)  ended 2027-02-27",
        "bob  2026-12-01 (90 d old)",
    ]


def test_other_lines_are_passed_over() -> None:
    text = "# 2026-13-99\n\nnonsense\nalice md5:x\nbob sha256:x expires=never more\n#carol sha256:x\n"
    assert list(listing.entries(text)) == [Entry("bob")]


def test_a_persons_keys_are_removed_and_nobody_elses() -> None:
    text = listing.added(two(), [(Person("Alice@example.com"), "cgw_newer")], today=TODAY, expires=None)
    assert listing.holders(text) == {"alice@example.com", "bob"}
    left, count = listing.removed(text, "alice@EXAMPLE.com")
    assert (count, listing.holders(left)) == (2, frozenset({"bob"}))
    old_gone, count = listing.removed(text, "alice@example.com", only_old=True)
    assert (count, [entry.person for entry in listing.entries(old_gone)]) == (1, ["bob", "Alice@example.com"])
    assert listing.removed(text, "alice") == (text, 0)
