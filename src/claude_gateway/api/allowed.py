"""Who may do something with an object, in the form of the Gateway API's ``allowedRoutes``."""

from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.base import Namespace, ObjectName, Spec
from claude_gateway.api.rule import Items, Rule

FROM: Final = "from"


_NAMESPACE_RULES: Final = (
    Rule(
        cel="self.from != 'Namespaces' || has(self.namespaces)",
        holds=lambda self: self.from_ != "Namespaces" or self.namespaces is not None,
        wrong="`from` is `Namespaces`, but `namespaces` is not set",
        fix="list the namespaces in `namespaces`, or set `from` to `Same` or `All`",
    ),
    Rule(
        cel="self.from == 'Namespaces' || !has(self.namespaces)",
        holds=lambda self: self.from_ == "Namespaces" or self.namespaces is None,
        wrong="`namespaces` is set, but `from` is not `Namespaces`",
        fix="set `from` to `Namespaces`, or remove `namespaces`",
    ),
)


class AllowedNamespaces(Spec):
    """Namespaces that are allowed, in addition to those that always are."""

    rules = _NAMESPACE_RULES

    from_: Literal["Same", "All", "Namespaces"] = Field(
        description="`Same`: no further namespaces. `All`: every namespace. `Namespaces`: those in `namespaces`."
    )
    namespaces: Annotated[tuple[Namespace, ...], Items("namespace", most=64, unique=True)] | None = Field(
        default=None, description="The namespaces, by name. Only with `from: Namespaces`."
    )

    @property
    def listed(self) -> tuple[str, ...]:
        """The namespaces as the data plane holds them; ``*`` is every namespace."""
        return ("*",) if self.from_ == "All" else self.namespaces or ()


class AllowedClients(Spec):
    """GatewayClients that may use a route: those of namespaces, or only those that are listed by name."""

    rules = (
        *_NAMESPACE_RULES,
        Rule(
            cel="self.from != 'Clients' || has(self.clients)",
            holds=lambda self: self.from_ != "Clients" or self.clients is not None,
            wrong="`from` is `Clients`, but `clients` is not set",
            fix="list the GatewayClients in `clients`, or set `from` to `Same` or `All`",
        ),
        Rule(
            cel="self.from == 'Clients' || !has(self.clients)",
            holds=lambda self: self.from_ == "Clients" or self.clients is None,
            wrong="`clients` is set, but `from` is not `Clients`",
            fix="set `from` to `Clients`, or remove `clients`",
        ),
    )

    from_: Literal["Same", "All", "Namespaces", "Clients"] = Field(
        description=(
            "`Same`: no further namespaces. `All`: every namespace. `Namespaces`: those in `namespaces`. `Clients`: "
            "only those in `clients`, and nobody else."
        )
    )
    namespaces: Annotated[tuple[Namespace, ...], Items("namespace", most=64, unique=True)] | None = Field(
        default=None, description="The namespaces, by name. Only with `from: Namespaces`."
    )
    clients: Annotated[tuple[ObjectName, ...], Items("client", most=64, unique=True)] | None = Field(
        default=None, description="GatewayClients of this namespace, by name. Only with `from: Clients`."
    )

    @property
    def listed(self) -> tuple[str, ...]:
        """The namespaces as the data plane holds them; ``*`` is every namespace."""
        return ("*",) if self.from_ == "All" else self.namespaces or ()


SAME: Final = AllowedNamespaces.model_validate({FROM: "Same"})
SAME_CLIENTS: Final = AllowedClients.model_validate({FROM: "Same"})
