"""Whether the data plane serves an object as it is now: never said on hope, only on what ready pods report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract.report import PodReport
from claude_gateway.names import Reason

Verdict = tuple[str, Reason, str]
"""Status, reason and message of a condition."""

_LONGEST_ERROR: Final = 500
_LIVE: Final[Verdict] = ("True", Reason.PROGRAMMED, "Every ready pod serves it.")
_UNSPENT: Final[Verdict] = ("True", Reason.PROGRAMMED, "No route spends it.")
_NOTHING: Final[Verdict] = (
    "False",
    Reason.NOTHING_TO_SERVE,
    "Nothing of it can serve; the other conditions say why.",
)
_PENDING: Final[Verdict] = ("False", Reason.PENDING, "Not every ready pod serves it yet.")
_TOO_LARGE: Final[Verdict] = (
    "False",
    Reason.TOO_LARGE,
    "Everything together is too large for a bundle; pods serve what they had.",
)


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod of the data plane: whether it is ready, and what its agent reported last; None: it does not answer."""

    name: str
    ready: bool
    report: PodReport | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All pods, seen with one revision in mind.

    ``served`` are the revisions that gateways or LiteLLM workers of ready pods serve; ``silent`` says that at least one
    ready pod did not report both. ``refusal`` is why a pod could not load the wanted revision.
    """

    ready: int = 0
    served: frozenset[str] = frozenset()
    silent: bool = False
    refusal: str | None = None

    @property
    def settled(self) -> str | None:
        """The one revision that every ready pod serves, if there is one."""
        return next(iter(self.served)) if self.ready and not self.silent and len(self.served) == 1 else None


def muster(pods: Iterable[PodState], wanted: str | None) -> Fleet:
    """Look at all pods; ``wanted`` is the revision that they should serve, None if there is none."""
    ready, silent = 0, False
    served: set[str] = set()
    refusals: list[str] = []
    for pod in pods:
        report = pod.report
        refusal = None if report is None or wanted is None else _refusal(report, wanted)
        if refusal is not None:
            refusals.append(f"Pod {pod.name} could not load it: {refusal[:_LONGEST_ERROR]}")
        if not pod.ready:
            continue
        ready += 1
        processes = (None, None) if report is None else (report.gateway, report.litellm)
        for process in processes:
            if process is None or process.revision is None:
                silent = True
            else:
                served.add(process.revision)
    return Fleet(ready=ready, served=frozenset(served), silent=silent, refusal=min(refusals, default=None))


def verdict(
    fleet: Fleet, name: str | None, wanted: Mapping[str, str], known: Mapping[str, Mapping[str, str]], *, fits: bool
) -> Verdict:
    """Answer for one object.

    ``name`` is that of its slice, None if nothing of the object can serve; ``wanted`` are the slices that should be
    live and ``known`` those of each revision that is known; ``fits`` says that the wanted ones could be written.
    """
    if name is None:
        return _NOTHING
    if not fleet.ready:
        return ("False", Reason.NO_READY_PODS, " ".join(filter(None, ("No pod is ready.", fleet.refusal))))
    mine = wanted.get(name)
    if not fleet.silent and all(r in known and known[r].get(name) == mine for r in fleet.served):
        return _LIVE if mine is not None else _UNSPENT
    if not fits:
        return _TOO_LARGE
    return _PENDING if fleet.refusal is None else ("False", Reason.REFUSED, fleet.refusal)


def _refusal(report: PodReport, wanted: str) -> str | None:
    """Why a pod could not load a revision, and which process it was; None if none says so."""
    if report.error is not None and report.wanted == wanted:
        return f"agent: {report.error}"
    for name, process in (("gateway", report.gateway), ("litellm", report.litellm)):
        if process is not None and process.refused == wanted:
            return f"{name}: {process.error or 'no reason given'}"
    return None
