"""Which budgets pay for a caller."""

import pytest

from claude_gateway.contract.budget import MOST_OF_CALLER, Budget
from claude_gateway.contract.payers import Payers, member


def of(*budgets: Budget, client: str = "a/ci", team: str = "", groups: tuple[str, ...] = ()) -> list[str]:
    return [budget.name for budget in Payers(budgets).of(client, team=team, groups=groups)]


@pytest.mark.parametrize(
    ("clients", "pays"),
    [(("a/ci",), True), (("a/*",), True), (("*",), True), (("a/other", "a/ci"), True), (("b/ci",), False), ((), False)],
)
def test_a_client_by_name_by_namespace_or_any(clients: tuple[str, ...], pays: bool) -> None:
    assert of(Budget(name="a/x", amount=1, clients=clients)) == (["a/x"] if pays else [])


def test_teams_and_groups_count_in_their_namespace_or_everywhere() -> None:
    here = Budget(name="a/here", amount=1, teams=("blue",), groups=("eng",))
    there = Budget(name="b/there", amount=1, teams=("blue",), groups=("eng",))
    every = Budget(name="gw/every", amount=1, teams=("blue",), groups=("eng",), everywhere=True)
    assert of(here, there, every, team="blue") == ["a/here", "gw/every"]
    assert of(here, there, every, groups=("ops", "eng")) == ["a/here", "gw/every"]
    assert of(here, there, every, team="red", groups=("ops",)) == []
    assert of(Budget(name="a/odd", amount=1, teams=("",))) == [], "an empty name is not a team"


def test_parents_pay_too_once_and_after_all_of_their_children() -> None:
    top = Budget(name="a/top", amount=1)
    mid = Budget(name="a/mid", amount=1, parent="a/top", clients=("a/*",))
    low = Budget(name="a/low", amount=1, parent="a/mid", teams=("blue",))
    side = Budget(name="a/side", amount=1, parent="a/top", groups=("eng",))
    assert of(top, mid, low, side, team="blue", groups=("eng",)) == ["a/low", "a/mid", "a/side", "a/top"]
    assert of(top, mid, low, side) == ["a/mid", "a/top"]


def test_a_parent_that_was_left_out_does_not_pay() -> None:
    assert of(Budget(name="a/x", amount=1, parent="a/gone", clients=("*",))) == ["a/x"]


def test_a_person_of_many_groups_is_searched_up_to_a_bound() -> None:
    budgets = [Budget(name=f"a/{at:04}", amount=1, groups=(f"g{at // 16}",)) for at in range(16 * 1000)]
    payers = Payers(budgets)
    few, most, more = (tuple(f"g{at}" for at in range(groups)) for groups in (3, 16, 1000))
    assert len(payers.of("a/ci", groups=few * 1000)) == 48
    assert len(payers.of("a/ci", groups=most)) == MOST_OF_CALLER
    assert len(payers.of("a/ci", groups=more)) == MOST_OF_CALLER + 1


def test_there_may_be_none() -> None:
    assert not Payers(())
    assert Payers((Budget(name="a/x", amount=1),))


def test_people_of_one_name_in_two_namespaces_are_two() -> None:
    assert member("a/ci", "alice") == member("a/other", "alice") == "a:alice"
    assert member("b/ci", "alice") == "b:alice"
    assert member("a/ci", "") == "a/ci"
