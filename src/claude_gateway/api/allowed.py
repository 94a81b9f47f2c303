"""Which namespaces may do something with an object, in the form of the Gateway API's ``allowedRoutes``."""

from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.base import Namespace, Spec
from claude_gateway.api.rule import Items, Rule

FROM: Final = "from"


class AllowedNamespaces(Spec):
    """Namespaces that are allowed something, besides those that always are."""

    rules = (
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


SAME: Final = AllowedNamespaces.model_validate({FROM: "Same"})
