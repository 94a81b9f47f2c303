"""Whether a measured series is steady: a robust slope with its uncertainty, and the level of a second half. Pure.

Memory comes in steps and with outliers, and neighbouring samples are alike, so that a least-squares line would say too
much. The second half of a run is cut into blocks of equal time; the median of each block is one point. The slope is the
median of the slopes of all pairs of points (Theil and Sen), and its interval is that of Kendall's statistic at 95 %
(Sen, 1968, doi:10.1080/01621459.1968.10480934).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

BLOCKS: Final = 24
_FEWEST: Final = 4
_NORMAL: Final = 1.96
"""Quantile of the normal distribution for 95 %."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Change per hour with the limits of its 95 % interval."""

    per_hour: float
    low: float
    high: float

    def verdict(self, most: float) -> str:
        """Compare with the most that is allowed: ``met``, ``missed``, or ``unresolved`` where the run was too short."""
        if self.high < most:
            return "met"
        return "missed" if self.low >= most else "unresolved"


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """Return the slope over the second half; ``times`` are seconds. Raises ValueError for too few samples."""
    points = _blocks(*_second_half(times, values))
    if len(points) < _FEWEST:
        raise ValueError(f"{len(points)} points are too few for a slope")
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) * 3600 for a, b in itertools.combinations(points, 2))
    spread = _NORMAL * math.sqrt(len(points) * (len(points) - 1) * (2 * len(points) + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Slope(median(slopes), slopes[low], slopes[high])


def rise(times: Sequence[float], values: Sequence[float]) -> float:
    """Return by how much the median of the last quarter is above that of the quarter before it."""
    _, later = _second_half(times, values)
    middle = len(later) // 2
    return median(later[middle:]) - median(later[:middle])


def _second_half(times: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    half = (times[0] + times[-1]) / 2
    kept = [(time, value) for time, value in zip(times, values, strict=True) if time >= half]
    return [time for time, _ in kept], [value for _, value in kept]


def _blocks(times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the middle and the median of each block of equal time that has samples."""
    width = (times[-1] - times[0]) / BLOCKS or 1.0
    blocks: dict[int, list[float]] = {}
    for time, value in zip(times, values, strict=True):
        blocks.setdefault(min(BLOCKS - 1, int((time - times[0]) / width)), []).append(value)
    return [(times[0] + (index + 0.5) * width, median(found)) for index, found in sorted(blocks.items())]
