"""Which budgets pay for a request: those that name its caller, and the parents of these."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from claude_gateway.contract.budget import ANY, MOST_OF_CALLER, Budget
from claude_gateway.contract.tenancy import namespace_of

PART: Final = "#"
"""Between a budget's name and a member's, in the name of that person's part; no budget's name has it."""


class Payers:
    """Finds the budgets that pay for a caller. Looking them up costs the same for one budget and for thousands."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        """Index the budgets; each parent that one names is among them."""
        self.budgets = {budget.name: budget for budget in budgets}
        self._clients: dict[str, list[Budget]] = {}
        self._teams: dict[str, list[Budget]] = {}
        self._groups: dict[str, list[Budget]] = {}
        for budget in budgets:
            _index(self._clients, budget.clients, budget)
            _index(self._teams, budget.teams, budget)
            _index(self._groups, budget.groups, budget)

    def __bool__(self) -> bool:
        """Whether there is any budget."""
        return bool(self.budgets)

    def of(self, client: str, *, team: str = "", groups: Iterable[str] = ()) -> tuple[Budget, ...]:
        """Return the budgets that pay for a caller, each once, and children before their parents.

        More than ``MOST_OF_CALLER`` are not all of them: the search ends there.
        """
        namespace = namespace_of(client)
        named = [*self._clients.get(client, ()), *self._clients.get(f"{namespace}/{ANY}", ())]
        named += self._clients.get(ANY, ())
        people = chain(
            self._teams.get(team, ()) if team else (),
            chain.from_iterable(self._groups.get(group, ()) for group in dict.fromkeys(groups)),
        )
        here = (budget for budget in people if budget.everywhere or namespace_of(budget.name) == namespace)
        found: dict[str, Budget] = {}
        for budget in chain(named, here):
            for each in self._line(budget):
                # A budget comes after all of its children, whichever way it was found.
                found.pop(each.name, None)
                found[each.name] = each
            if len(found) > MOST_OF_CALLER:
                break
        return tuple(found.values())

    def _line(self, budget: Budget) -> Iterator[Budget]:
        """Yield a budget and its ancestors."""
        each: Budget | None = budget
        while each is not None:
            yield each
            each = None if each.parent is None else self.budgets.get(each.parent)


def member(client: str, user: str) -> str:
    """Return the name of the calling person within a namespace, or the client if no person is named."""
    return f"{namespace_of(client)}:{user}" if user else client


def _index(into: dict[str, list[Budget]], names: Iterable[str], budget: Budget) -> None:
    for name in names:
        into.setdefault(name, []).append(budget)
