"""Money is counted in whole nanodollars, is never negative, and reads as people and programs expect."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract import money


@pytest.mark.parametrize(
    ("dollars", "counted"),
    [
        ("0", 0),
        ("12.34", 12_340_000_000),
        ("0.0000000004", 0),
        ("0.0000000005", 1),
        ("0.0000000015", 2),
        ("-1", 0),
        ("NaN", 0),
        ("Infinity", 0),
    ],
)
def test_an_amount_is_rounded_half_up_and_never_negative(dollars: str, counted: int) -> None:
    assert money.nanodollars(Decimal(dollars)) == counted


@pytest.mark.parametrize(
    ("dollars", "counted"), [("12.34", 12_340_000_000), ("9000000", money.MOST), ("9E+15", money.MOST)]
)
def test_one_request_costs_no_more_than_can_be_counted(dollars: str, counted: int) -> None:
    assert money.of_one(Decimal(dollars)) == counted


@pytest.mark.parametrize(
    ("amount", "people", "programs"),
    [
        (0, "$0.00", "0"),
        (12_340_000_000, "$12.34", "12.34"),
        (1_234_567_890_123_456, "$1,234,567.89", "1234567.890123456"),
        (1_250_000, "$0.0013", "0.00125"),
        (1_200_000, "$0.0012", "0.0012"),
        (10_000_000, "$0.01", "0.01"),
        (1, "$0.000000001", "0.000000001"),
        (-5_000_000_000, "-$5.00", "-5"),
    ],
)
def test_an_amount_is_written_for_people_and_for_programs(amount: int, people: str, programs: str) -> None:
    assert (money.dollars(amount), money.exact(amount)) == (people, programs)


@given(st.integers(0, money.MOST))
def test_what_is_written_for_programs_is_read_back(amount: int) -> None:
    assert money.parse(money.exact(amount)) == amount
    assert money.nanodollars(money.decimal(amount)) == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "1,000", "$5", "1e3", "01", "1.", ".5", "٣", "1.0000000001", "5\n", "x" * 500]
)
def test_what_is_no_amount_is_rejected_with_the_fix(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as `250` or `250.00`"):
        money.parse(text)


def test_more_than_can_be_counted_exactly_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"9,000,000 dollars"):
        money.parse("9000000.01")
