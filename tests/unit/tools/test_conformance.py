"""The published table: it has every requirement, of every gateway, and ours meets them all."""

import pytest
from tools.reference.conformance import COLUMNS, Column, render

from claude_gateway.conformance.check import Outcome
from claude_gateway.conformance.checks import AREAS, CHECKS


@pytest.mark.parametrize("key", COLUMNS)
def test_a_column_has_every_check_and_no_other(key: str) -> None:
    assert set(Column.read(key).verdicts) == {check.id for check in CHECKS}


def test_ours_meets_every_requirement() -> None:
    assert set(Column.read("claude-gateway").verdicts.values()) == {Outcome.PASS}


def test_every_requirement_is_a_row() -> None:
    page = render()
    for check in CHECKS:
        assert f"| `{check.id}` |" in page
    for title in AREAS.values():
        assert f"\n## {title}\n" in page
