"""How limits and budgets are divided between the pods of a release, where no store counts for all of them.

The operator writes it, the agent passes a pod's part on, and the gateway follows it. It is not part of a bundle: pods
come and go without a new revision.
"""

from typing import Final

from pydantic import Field, ValidationError

from claude_gateway.contract.base import Contract

ALLOTMENT_JSON: Final = "allotment.json"

Windows = dict[str, dict[str, int]]
"""Billionths of a dollar by the full name of a budget, and by ``Window.key``."""


class Allotment(Contract):
    """One pod's part.

    ``pods`` divide each limit between them. ``leases`` are the most that the pod may spend of each budget in a window,
    with what it spent before. ``spent`` is what all pods together have spent; ``counted``: as a store counted it, and
    ``unstored`` is the part that it never counted.
    """

    pods: int = 1
    counted: bool = False
    leases: Windows = Field(default={})
    spent: Windows = Field(default={})
    unstored: Windows = Field(default={})


class Allotments(Contract):
    """The parts of all pods, by the pods' names.

    ``gone`` is what pods may have spent that are gone: a lease that was not reported back counts as spent.
    ``counted``: a store counts what all of them spend, so that only its totals are in ``spent``; ``unstored`` is what
    pods may have spent while it was away, and were gone before they could add it.
    """

    pods: int = 1
    counted: bool = False
    leases: dict[str, Windows] = Field(default={})
    gone: Windows = Field(default={})
    spent: Windows = Field(default={})
    unstored: Windows = Field(default={})

    def of(self, pod: str) -> Allotment:
        """Return one pod's part; a pod that is not known has no leases."""
        return Allotment(
            pods=self.pods,
            counted=self.counted,
            leases=self.leases.get(pod, {}),
            spent=self.spent,
            unstored=self.unstored,
        )


def read(data: bytes) -> Allotments | None:
    """Read what the operator wrote; None if it cannot be read."""
    try:
        return Allotments.model_validate_json(data)
    except ValidationError:
        return None


def read_part(data: bytes) -> Allotment | None:
    """Read one pod's part; None if it cannot be read."""
    try:
        return Allotment.model_validate_json(data)
    except ValidationError:
        return None
