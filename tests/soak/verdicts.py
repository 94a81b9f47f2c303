"""What a soak has to show, and whether it did: rows of the report. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from tests.soak.plans import Manner
from tests.soak.run import Result
from tests.soak.steady import rise, slope

MEBIBYTE: Final = 2**20
MOST_PER_HOUR: Final = 1.0
"""MiB by which a process may grow in an hour."""
_FLAT: Final = {"descriptors": 12.0, "tasks": 24.0, "threads": 2.0}
"""By how much a quarter's level may be above the one before, whatever the level."""
_FLAT_SHARE: Final = 0.05
_LINES_PER_FAULT: Final = 4
_LINES_PER_EDIT: Final = 16
_LINES_OTHERWISE: Final = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. ``verdict`` is ``met``, ``missed`` or ``unresolved``."""

    what: str
    goal: str
    measured: str
    verdict: str


def rows(result: Result) -> list[Row]:
    """Return all rows of the report."""
    return [_failures(result), *_memory(result), *_flat(result), _log(result)]


def requests(result: Result) -> int:
    """Return how many requests were sent."""
    return sum(result.outcomes.values())


def faults(result: Result) -> int:
    """Return how many requests the upstream failed."""
    return sum(count for (_, _, fault, _), count in result.outcomes.items() if fault)


def _failures(result: Result) -> Row:
    count = sum(result.unexplained.values())
    sent = f"{requests(result):,} requests, of which the upstream failed {faults(result):,}"
    return Row("Failures that no injected cause explains", "0", f"{count} in {sent}", _met(count == 0))


def _memory(result: Result) -> Iterator[Row]:
    for name in result.samples[0]:
        values = [sample[name]["rss"] / MEBIBYTE for sample in result.samples]
        found = slope(result.times, values)
        measured = (
            f"{found.per_hour:+.2f} MiB/h (95 %: {found.low:+.2f} to {found.high:+.2f}) "
            f"at {median(values[len(values) // 2 :]):.0f} MiB"
        )
        goal = f"< {MOST_PER_HOUR:g} MiB/h"
        yield Row(f"Memory of {name}", goal, measured, found.verdict(MOST_PER_HOUR))


def _flat(result: Result) -> Iterator[Row]:
    for what, most in _FLAT.items():
        worst, measured = 0.0, []
        for name, first in result.samples[0].items():
            if what not in first:
                continue
            values = [sample[name][what] for sample in result.samples]
            level, grown = median(values[len(values) // 2 :]), rise(result.times, values)
            measured.append(f"{name} {level:.0f} ({grown:+.0f})")
            worst = max(worst, grown / max(most, _FLAT_SHARE * level))
        goal = "the last quarter at most 5 % above the third"
        yield Row(what.capitalize(), goal, ", ".join(measured), _met(worst <= 1))


def _log(result: Result) -> Row:
    lines = result.log[-1][1]
    answered = requests(result)
    harmed = faults(result) + _of(result.outcomes, Manner.LEAVES) + _of(result.outcomes, Manner.LEAVES_EARLY)
    most = answered + _LINES_PER_FAULT * harmed + _LINES_PER_EDIT * result.edits + _LINES_OTHERWISE
    goal = f"≤ {most:,} lines: one a request, {_LINES_PER_FAULT} a failure, {_LINES_PER_EDIT} an edit"
    volume = result.log[-1][0] / MEBIBYTE
    return Row("Log", goal, f"{lines:,} lines, {volume:.1f} MiB, {_growth(result.log)}", _met(lines <= most))


def _growth(log: Sequence[tuple[int, int]]) -> str:
    middle = len(log) // 2
    halves = (log[0], log[middle]), (log[middle], log[-1])
    first, second = ((end[0] - start[0]) / max(1, end[1] - start[1]) for start, end in halves)
    return f"{first:.0f} bytes a line in the first half, {second:.0f} in the second"


def _of(outcomes: Counter[tuple[str, str, str, str]], manner: Manner) -> int:
    return sum(count for (_, found, _, _), count in outcomes.items() if found == manner)


def _met(good: bool) -> str:
    return "met" if good else "missed"
