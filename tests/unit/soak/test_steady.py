"""The robust slope: it finds a leak in noise, is not misled by steps and outliers, and knows when it cannot tell."""

import random

import pytest
from tests.soak.steady import rise, slope

HOURS_2 = [float(second) for second in range(0, 7200, 5)]
MINUTES_20 = [float(second) for second in range(0, 1200, 5)]


def series(times: list[float], per_hour: float, *, noise: float = 0.3) -> list[float]:
    chance = random.Random(1)
    return [80 + per_hour * time / 3600 + chance.gauss(0, noise) for time in times]


def test_a_leak_of_three_mebibytes_an_hour_is_found_in_noise() -> None:
    found = slope(HOURS_2, series(HOURS_2, 3.0))
    assert found.low <= 3.0 <= found.high
    assert found.verdict(1.0) == "missed"


def test_a_steady_series_is_met() -> None:
    found = slope(HOURS_2, series(HOURS_2, 0.0))
    assert abs(found.per_hour) < 0.5
    assert found.verdict(1.0) == "met"


def test_a_short_noisy_run_is_not_resolved() -> None:
    assert slope(MINUTES_20, series(MINUTES_20, 0.9, noise=3.0)).verdict(1.0) == "unresolved"


def test_the_first_half_does_not_matter() -> None:
    values = [100 * min(1.0, time / 3000) for time in HOURS_2]
    assert slope(HOURS_2, values).per_hour == 0


def test_outliers_do_not_make_a_leak() -> None:
    values = [500.0 if index % 17 == 0 else 80.0 for index in range(len(HOURS_2))]
    values[-1] = 5000.0
    assert slope(HOURS_2, values).verdict(1.0) == "met"


def test_one_step_is_no_slope() -> None:
    values = [80.0 if time < 5000 else 81.0 for time in HOURS_2]
    assert slope(HOURS_2, values).verdict(1.0) != "missed"


def test_too_few_samples_have_no_slope() -> None:
    with pytest.raises(ValueError, match="too few"):
        slope([0.0, 5.0, 10.0], [1.0, 1.0, 1.0])


def test_a_rise_compares_the_last_two_quarters() -> None:
    assert rise([0.0, 1, 2, 3, 4, 5, 6, 7], [9.0, 9, 9, 9, 1, 1, 5, 5]) == 4
