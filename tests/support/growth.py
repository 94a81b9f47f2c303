"""How the cost of code grows with its input: in CPU time, judged by ratios, so that a busy machine does not matter."""

import itertools
import time
from collections.abc import Callable
from typing import Final

Run = Callable[[], object]

_SMALL: Final = (16, 24, 36, 54)
"""Sizes at which exponential growth shows before it would never end."""

_STEEP: Final = 30
"""Ratio of the costs of two neighbouring small sizes that only exponential growth reaches."""

_LARGE: Final = (64, 256, 1024, 4096)
_MOST: Final = 9
"""Ratio of the costs of two neighbouring large sizes: about 4 where the cost is linear, 16 where it is quadratic."""

_CUBIC: Final = 55
"""Ratio that is reported at the first step: the next one could last for hours."""

_REPEATS: Final = 3
_DOUBTS: Final = 3
"""How often a growth that looks too steep is measured again."""


def cost(run: Run, *, repeats: int = _REPEATS) -> float:
    """Return the CPU time of one run in this thread, the least of several."""
    least = float("inf")
    for _ in range(repeats):
        start = time.thread_time_ns()
        run()
        least = min(least, time.thread_time_ns() - start)
    return max(least, 1.0)


def steep(make: Callable[[int], Run], *, scale: int = 1) -> str | None:
    """Return what is wrong with the growth of ``make(size)``'s cost; None if it is about linear.

    ``scale`` multiplies the large sizes, for code with a high fixed cost. Quadratic growth must show in two steps in a
    row: where an algorithm has a threshold, one step is steep.
    """
    before = make(_SMALL[0])
    for size in _SMALL[1:]:
        after = make(size)
        ratio = _ratio(before, after, most=_STEEP)
        if ratio > _STEEP:
            return f"{ratio:.0f} times the cost at size {size}"
        before = after
    earlier = 0.0
    runs = [make(size * scale) for size in _LARGE]
    for small, large in itertools.pairwise(runs):
        ratio = _ratio(small, large, most=_MOST)
        if ratio > _CUBIC or min(ratio, earlier) > _MOST:
            return f"{ratio:.0f} times the cost for four times the size"
        earlier = ratio
    return None


def _ratio(small: Run, large: Run, *, most: float) -> float:
    """Return the ratio of two costs, the least of several if it is more than ``most``."""
    ratio = cost(large) / cost(small)
    for _ in range(_DOUBTS):
        if ratio <= most:
            break
        ratio = min(ratio, cost(large) / cost(small))
    return ratio
