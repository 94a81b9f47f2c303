"""Budget: how much money may be spent in a period, by whom, and what happens then."""

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from claude_gateway.api.base import DNS_SUBDOMAIN, GATEWAY_REF, NAMESPACE, GatewayRef, ModelName, ObjectName, Spec
from claude_gateway.api.proof import Text
from claude_gateway.api.rule import Items, Rule, cel_string, matches

AMOUNT: Final = r"^(0|[1-9][0-9]{0,6})([.][0-9]{1,9})?$"
CLIENTS: Final = rf"^([*]|({NAMESPACE[1:-1]}/)?([*]|{DNS_SUBDOMAIN[1:-1]}))$"
CONTACT: Final = r"^[!-~]([ -~]*[!-~])?$"
_LARGEST: Final = 9_000_000
"""Dollars. In billionths of a dollar, larger amounts are no longer exact in every program that counts them."""

Amount = Annotated[
    str,
    Field(min_length=1, max_length=17),
    matches(
        AMOUNT,
        wrong="not an amount in US dollars",
        fix="write dollars and at most nine decimals, in quotes, such as `'250.00'`",
    ),
    Rule(
        cel=f"!self.matches({cel_string(AMOUNT)}) || (double(self) > 0.0 && double(self) <= {_LARGEST}.0)",
        holds=lambda text: 0 < Decimal(text) <= _LARGEST,
        wrong="the amount is out of range",
        fix=f"write an amount above zero and at most {_LARGEST} dollars",
    ),
]
ClientPattern = Annotated[
    str,
    Field(min_length=1, max_length=317),
    matches(
        CLIENTS,
        wrong="neither the name of a GatewayClient nor `*`",
        fix="write `name`, or `*` for every client; in the release's namespace also `namespace/name` or `namespace/*`",
    ),
]
Period = Literal["Hour", "Day", "Week", "Month"]
Action = Literal["Block", "Warn", "Route"]


class BudgetSpec(Spec):
    """How much money may be spent in a period, by whom, and what happens then."""

    amount: Amount = Field(description="The most that may be spent in one period, in US dollars, such as `'250.00'`.")
    period: Period = Field(
        default="Month",
        description=(
            "How long the amount lasts. Periods begin at a full hour, at midnight, on Monday or on the first of the "
            "month, in UTC. Default: `Month`."
        ),
    )
    parent: ObjectName | None = Field(
        default=None,
        description=(
            "A Budget of this namespace that pays for the same requests, too, such as the organisation's. At most "
            "eight budgets are in a chain. Default: none."
        ),
    )
    clients: Annotated[tuple[ClientPattern, ...], Items("client", most=256, unique=True)] | None = Field(
        default=None,
        description=(
            "GatewayClients of this namespace whose requests it pays for; `*` is every client. In the release's own "
            "namespace, `*` is every client of every namespace, and `namespace/name` and `namespace/*` are those of "
            "another. At most 16 Budgets of a namespace name the same client. Default: none."
        ),
    )
    teams: Annotated[tuple[Text, ...], Items("team", most=256, unique=True)] | None = Field(
        default=None,
        description=(
            "Teams whose people's requests it pays for, as keys and tokens name them, among the clients of this "
            "namespace; in the release's own namespace, among all. Default: none."
        ),
    )
    groups: Annotated[tuple[Text, ...], Items("group", most=256, unique=True)] | None = Field(
        default=None,
        description="Groups in signed tokens: it pays for the requests of their members, like `teams`. Default: none.",
    )
    per_member: Amount | None = Field(
        default=None,
        description=(
            "The most that one person may spend of it in one period, in US dollars; a client whose caller has no name "
            "counts as one person. Default: no such limit."
        ),
    )
    action: Action = Field(
        default="Block",
        description=(
            "What happens to requests when it is spent. `Block`: they are rejected with 429. `Warn`: they are served, "
            "and Claude Code shows a warning. `Route`: the model in `routeTo` serves them. Default: `Block`."
        ),
    )
    route_to: ModelName | None = Field(
        default=None,
        description=(
            "The model name that serves requests once the budget is spent, such as one of a cheaper model. Only with "
            "`action: Route`. Default: none."
        ),
    )
    contact: (
        Annotated[
            str,
            Field(min_length=1, max_length=200),
            matches(
                CONTACT,
                wrong="not a text of one line",
                fix="write printable ASCII, without a space at its beginning or end",
            ),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "What people should do when it is spent, for the end of the message that they see, such as `ask for more "
            "at https://go.example.com/claude`. Default: none."
        ),
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.action) && self.action == 'Route') == has(self.routeTo)",
            holds=lambda spec: (spec.action == "Route") == (spec.route_to is not None),
            wrong="`action: Route` and `routeTo` belong together",
            fix="set both, or neither",
        ),
        Rule(
            cel=f"!has(self.perMember) || !self.perMember.matches({cel_string(AMOUNT)}) || "
            f"!self.amount.matches({cel_string(AMOUNT)}) || double(self.perMember) <= double(self.amount)",
            holds=lambda spec: spec.per_member is None or Decimal(spec.per_member) <= Decimal(spec.amount),
            wrong="`perMember` is more than `amount`",
            fix="write at most the amount, or remove `perMember`",
        ),
    )
