"""Checks: one requirement each, with its source, its needs and, after a run, its result."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.requirement import Need, Source


class Outcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"


Run = Callable[[Bench], str]


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement. ``run`` returns the evidence that it is met, or raises Failed or NotApplicable."""

    id: str
    requirement: str
    source: Source
    needs: frozenset[Need]
    run: Run

    @property
    def area(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a check with its evidence: what was sent and received, shortened, without keys."""

    check: Check
    outcome: Outcome
    evidence: str


def check(id_: str, requirement: str, *needs: Need, source: Source = Source.PROTOCOL) -> Callable[[Run], Check]:
    """Decorate a function that becomes the ``run`` of a check."""
    return lambda run: Check(id=id_, requirement=requirement, source=source, needs=frozenset(needs), run=run)
