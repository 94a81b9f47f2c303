"""Specs of Budgets: valid ones, and invalid ones with the field and the message."""

from typing import Any, Final

from tests.support.builders.specs.case import Case, Spec

from claude_gateway.names import Kind

_BUDGET: Final = Kind.BUDGET


def budget(**fields: Any) -> Spec:
    """A Budget's spec, with these changes."""
    return {"amount": "250.00", "clients": ["*"], **fields}


_NO_AMOUNT: Final = "not an amount in US dollars; write dollars and at most nine decimals, in quotes"
_NO_CLIENT: Final = "neither the name of a GatewayClient nor `*`; write `name`"


VALID: Final = (
    Case("the shortest budget", _BUDGET, {"amount": "5"}),
    Case("the largest budget", _BUDGET, budget(amount="9000000.000000", period="Hour")),
    Case("a budget of a millionth", _BUDGET, budget(amount="0.000001", perMember="0.000001")),
    Case("clients of a budget", _BUDGET, budget(clients=["ci", "a.b", "team-a/ci", "team-a/*", "*"])),
    Case("teams and groups", _BUDGET, budget(teams=["blue", "R & D"], groups=["cn=eng,dc=example"])),
    Case("a cheaper model", _BUDGET, budget(action="Route", routeTo="claude-haiku-5-5")),
    Case("a pool with a parent", _BUDGET, {"amount": "10", "parent": "everyone", "action": "Warn"}),
)

INVALID: Final = (
    Case("a budget without amount", _BUDGET, {"clients": ["*"]}, "amount"),
    Case("an amount that is a number", _BUDGET, budget(amount=250), "amount"),
    Case("an amount with a currency", _BUDGET, budget(amount="$250"), "amount", _NO_AMOUNT),
    Case("a negative amount", _BUDGET, budget(amount="-1"), "amount", _NO_AMOUNT),
    Case("an amount in powers", _BUDGET, budget(amount="1e3"), "amount", _NO_AMOUNT),
    Case("ten decimals", _BUDGET, budget(amount="0.0000000001"), "amount", _NO_AMOUNT),
    Case("an amount of nothing", _BUDGET, budget(amount="0.00"), "amount", "write an amount above zero"),
    Case("too much money", _BUDGET, budget(amount="9000000.01"), "amount", "at most 9000000 dollars"),
    Case("an unknown period", _BUDGET, budget(period="Year"), "period"),
    Case("an unknown action", _BUDGET, budget(action="Ignore"), "action"),
    Case("a parent of another namespace", _BUDGET, budget(parent="other/everyone"), "parent"),
    Case("clients by half a pattern", _BUDGET, budget(clients=["ci-*"]), "clients", _NO_CLIENT),
    Case("every namespace", _BUDGET, budget(clients=["*/ci"]), "clients", _NO_CLIENT),
    Case("no client of a budget", _BUDGET, budget(clients=[]), "clients"),
    Case("a team twice", _BUDGET, budget(teams=["a", "a"]), "teams"),
    Case("257 groups", _BUDGET, budget(groups=[f"g{i}" for i in range(257)]), "groups"),
    Case("more for one than for all", _BUDGET, budget(perMember="250.01"), "", "`perMember` is more than `amount`"),
    Case("nothing to route to", _BUDGET, budget(action="Route"), "", "`action: Route` and `routeTo` belong together"),
    Case("a route for nothing", _BUDGET, budget(routeTo="claude-haiku-5-5"), "", "set both, or neither"),
    Case("a pattern to route to", _BUDGET, budget(action="Route", routeTo="claude-*"), "routeTo"),
    Case("a contact of two lines", _BUDGET, budget(contact="ask\nme"), "contact", "not a text of one line"),
    Case("too long a contact", _BUDGET, budget(contact="x" * 201), "contact"),
)
