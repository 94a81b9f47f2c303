"""How long a change took to be live on every pod: printed, not asserted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.e2e.pods.load import Answer


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: what is served from then on, when kubectl was called, and when it said that the edit is live."""

    served: str
    asked: float
    programmed: float


def stale(edits: Sequence[Edit], answers: Iterable[Answer]) -> list[str]:
    """Say which requests, begun after an edit was reported live and before the next, were not served by it."""
    found = list(answers)
    ends = [edit.asked for edit in edits[1:]] + [float("inf")]
    return [
        f"{answer.group} at {answer.started:.3f} was served by {answer.served}, not by {edit.served}"
        for edit, end in zip(edits, ends, strict=True)
        for answer in found
        if edit.programmed < answer.started and answer.ended < end and answer.served != edit.served
    ]


def summary(what: str, edits: Sequence[Edit], answers: Iterable[Answer]) -> str:
    """Return seconds from calling kubectl to the first answer of each pod that the edit served, and to Programmed."""
    found = list(answers)
    groups = sorted({answer.group for answer in found})
    live = [
        min(answer.started for answer in found if answer.group == group and answer.served == edit.served) - edit.asked
        for edit in edits
        for group in groups
    ]
    programmed = [edit.programmed - edit.asked for edit in edits]
    return (
        f"\n{what}: {len(edits)} edits on {len(groups)} pods, live on each after {_spread(live)} s, "
        f"Programmed after {_spread(programmed)} s (with kubectl's own start)"
    )


def _spread(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    at = [ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.95, 1)]
    return "p50 {:.2f}, p95 {:.2f}, max {:.2f}".format(*at)
