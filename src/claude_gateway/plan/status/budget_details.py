"""What a Budget's status says beyond its conditions, as a value and as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from claude_gateway.contract.money import nanodollars

_TEXTS: Final = {
    "spent": "spent",
    "amount": "amount",
    "started_at": "startedAt",
    "resets_at": "resetsAt",
    "updated_at": "updatedAt",
}


@dataclass(frozen=True, slots=True)
class BudgetDetails:
    """What was spent of a budget in the window that began last; money in dollars, times as Kubernetes writes them."""

    spent: str
    amount: str
    used_percent: int
    started_at: str
    resets_at: str
    updated_at: str

    @property
    def rank(self) -> tuple[str, int, str]:
        """Sort key: the newest window, and the release that spent most in it, come last."""
        return (self.started_at, self.used_percent, self.spent)

    @property
    def nanodollars(self) -> int | None:
        """What was spent, in billionths of a dollar; None if the field does not hold an amount."""
        try:
            return nanodollars(Decimal(self.spent))
        except (InvalidOperation, ValueError, OverflowError):
            return None

    def document(self) -> dict[str, Any]:
        """Return the details as they are stored."""
        return {"usedPercent": self.used_percent, **{key: getattr(self, name) for name, key in _TEXTS.items()}}


def read_budget(raw: object) -> BudgetDetails | None:
    """Read the details from a status; None if they are missing or not in the form that a release writes."""
    if not isinstance(raw, Mapping):
        return None
    percent = raw.get("usedPercent")
    texts = {name: text for name, key in _TEXTS.items() if isinstance(text := raw.get(key), str)}
    if type(percent) is not int or len(texts) < len(_TEXTS):
        return None
    return BudgetDetails(used_percent=percent, **texts)
