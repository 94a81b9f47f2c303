"""The ``Programmed`` condition: whether the data plane serves an object as it is now.

It is true only if every ready pod reported it. For one object, the first line that applies decides::

    the object does not fit into the bundle        -> False  TooLarge
    nothing of the object can serve                -> False  NothingToServe
    no pod is ready                                -> False  NoReadyPods
    every ready pod serves the object's slice      -> True   Programmed
    a pod could not load the wanted revision       -> False  Refused
    otherwise: some pod is not up to date yet      -> False  Pending

A pod runs two processes that load the bundle, the gateway and the LiteLLM worker, and both count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from claude_gateway.contract.report import PodReport
from claude_gateway.names import Reason

ConditionState = tuple[str, Reason, str]
"""Status, reason and message of a condition."""

_LONGEST_ERROR: Final = 500
_LIVE: Final[ConditionState] = ("True", Reason.PROGRAMMED, "Live on every ready proxy pod.")
_UNSPENT: Final[ConditionState] = ("True", Reason.PROGRAMMED, "No route uses it.")
_NOTHING: Final[ConditionState] = (
    "False",
    Reason.NOTHING_TO_SERVE,
    "No part of the object can serve: fix what the other conditions name.",
)
_PENDING: Final[ConditionState] = ("False", Reason.PENDING, "Not live on every ready proxy pod yet.")
_TOO_LARGE: Final[ConditionState] = (
    "False",
    Reason.TOO_LARGE,
    "Left out of the configuration, which has no room for it: see `Accepted`.",
)


@dataclass(frozen=True, slots=True)
class PodState:
    """One proxy pod: whether it is ready, and the last report of its agent (None: the agent does not answer)."""

    name: str
    ready: bool
    report: PodReport | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """All pods, compared with one wanted revision.

    ``ready`` is the number of ready pods. ``served`` are the revisions that their gateways and LiteLLM workers serve;
    ``silent`` says that at least one ready pod did not report both. ``refusal`` is why a pod could not load the wanted
    revision.
    """

    ready: int = 0
    served: frozenset[str] = frozenset()
    silent: bool = False
    refusal: str | None = None

    @property
    def settled(self) -> str | None:
        """The single revision that every ready pod serves; None if there is none."""
        return next(iter(self.served)) if self.ready and not self.silent and len(self.served) == 1 else None


def summarize(pods: Iterable[PodState], wanted: str) -> Fleet:
    """Summarize all pods; ``wanted`` is the revision that they should serve."""
    ready, silent = 0, False
    served: set[str] = set()
    refusals: list[str] = []
    for pod in pods:
        report = pod.report
        refusal = None if report is None else _refusal(report, wanted)
        if refusal is not None:
            refusals.append(f"Pod {pod.name} could not load the new configuration: {refusal[:_LONGEST_ERROR]}")
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


def condition(
    fleet: Fleet, name: str | None, wanted: Mapping[str, str], known: Mapping[str, Mapping[str, str]], *, fits: bool
) -> ConditionState:
    """Return the state of the condition for one object.

    ``name`` is the name of the object's slice, None if nothing of the object can serve. ``wanted`` are the slices that
    should be live, ``known`` those of each known revision. ``fits`` says that the object is part of the bundle, if it
    can serve.
    """
    if not fits:
        return _TOO_LARGE
    if name is None:
        return _NOTHING
    if not fleet.ready:
        return ("False", Reason.NO_READY_PODS, " ".join(filter(None, ("No proxy pod is ready.", fleet.refusal))))
    mine = wanted.get(name)
    if not fleet.silent and all(r in known and known[r].get(name) == mine for r in fleet.served):
        return _LIVE if mine is not None else _UNSPENT
    return _PENDING if fleet.refusal is None else ("False", Reason.REFUSED, fleet.refusal)


def _refusal(report: PodReport, wanted: str) -> str | None:
    """Return which process of a pod could not load a revision, and why; None if none reports a failure."""
    if report.error is not None and report.wanted == wanted:
        return f"agent: {report.error}"
    for name, process in (("gateway", report.gateway), ("litellm", report.litellm)):
        if process is not None and process.refused == wanted:
            return f"{name}: {process.error or 'no reason given'}"
    return None
