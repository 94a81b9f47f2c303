"""Money: billionths of a dollar where it is counted, decimal dollars where prices and amounts are read."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

PER_DOLLAR: Final = 1_000_000_000


def nanodollars(dollars: Decimal) -> int:
    """Return dollars in billionths, rounded half up; never negative."""
    return max(0, int((dollars * PER_DOLLAR).to_integral_value(ROUND_HALF_UP)))


def dollars(amount: int) -> str:
    """Return billionths of a dollar for people: ``$12.34``."""
    return f"${(Decimal(amount) / PER_DOLLAR).quantize(Decimal('0.01'), ROUND_HALF_UP)}"
