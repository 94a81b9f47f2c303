"""Money: whole nanodollars (10^-9 $) where it is counted, stored or reserved, ``Decimal`` dollars where it is read.

The cheapest token that a vendor lists costs some nanodollars, so that rounding makes no request free, and nine million
dollars of them are still exact in a double, which a Lua script counts with.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

NANODOLLARS: Final = 10**9
"""Nanodollars of a dollar."""

MOST: Final = 9_000_000 * NANODOLLARS
"""The largest amount that is exact in a double; a budget may have no more."""

AMOUNT: Final = r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,9})?$"
"""How users write an amount of dollars: ``250``, ``250.00``, ``0.5``."""

_AMOUNT: Final = re.compile(AMOUNT, re.ASCII)
_ONE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")


def nanodollars(dollars: Decimal) -> int:
    """Return an amount in whole nanodollars, rounded half up; what is negative, or no number, is 0."""
    if not dollars.is_finite() or dollars <= 0:
        return 0
    return int((dollars * NANODOLLARS).quantize(_ONE, rounding=ROUND_HALF_UP))


def of_one(dollars: Decimal) -> int:
    """Return what one request costs in whole nanodollars: at most as much as counters hold exactly.

    What a client asks for and what an upstream reports may be any number. Beyond 64 bits a store refuses to count.
    """
    return min(nanodollars(dollars), MOST)


def decimal(amount: int) -> Decimal:
    """Return nanodollars as dollars, exactly."""
    return Decimal(amount) / NANODOLLARS


def exact(amount: int) -> str:
    """Return nanodollars as dollars for programs: all digits and no sign of a currency, such as ``0.00125``."""
    whole, rest = divmod(abs(amount), NANODOLLARS)
    digits = f"{rest:09d}".rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def dollars(amount: int) -> str:
    """Return nanodollars for people: ``$12.34``; less than a cent with its first digits, such as ``$0.0012``."""
    value = decimal(abs(amount))
    sign = "-" if amount < 0 else ""
    if not amount or value >= _CENT:
        return f"{sign}${value.quantize(_CENT, rounding=ROUND_HALF_UP):,f}"
    first = Decimal(1).scaleb(value.adjusted() - 1)
    return f"{sign}${value.quantize(first, rounding=ROUND_HALF_UP).normalize():f}"


def parse(text: str) -> int:
    """Read an amount of dollars that a user wrote, as nanodollars. Raises ValueError with what is wrong and the fix."""
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"`{text[:40]}` is not an amount of dollars; write it as `250` or `250.00`")
    amount = nanodollars(Decimal(text))
    if amount > MOST:
        raise ValueError(f"`{text}` is more than the 9,000,000 dollars that can be counted exactly")
    return amount
