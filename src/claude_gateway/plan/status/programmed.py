"""The ``Programmed`` condition: whether the data plane serves an object as it is now.

It becomes true only when every ready pod has reported it. For one object, the first line that applies decides::

    the object does not fit into the bundle        -> False  TooLarge
    nothing of the object can serve                -> False  NothingToServe
    no pod is ready                                -> False  NoReadyPods
    every ready pod serves the object's slice      -> True   Programmed
    a pod could not load the wanted revision       -> False  Refused
    otherwise: some pod is not up to date yet      -> False  Pending

A pod runs two processes that load the bundle, the gateway and the LiteLLM worker, and both count.

A ready pod that does not report (it has just started, or its agent is away) does not make a true condition false while
the object stays as it is: a gateway keeps what it serves, and a new one is ready only with a configuration. So one
silent pod changes the status of the objects that are edited, not that of all objects.
"""

from collections.abc import Collection, Iterable, Mapping
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
_PENDING: Final = "Not live on every ready proxy pod yet: pod "
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

    ``ready`` is the number of ready pods. ``serving`` are the ready pods with the revisions that their gateway and
    LiteLLM worker serve; ``silent`` are the ready pods that did not report both. ``refusal`` is why a pod could not
    load the wanted revision.
    """

    ready: int = 0
    serving: tuple[tuple[str, frozenset[str]], ...] = ()
    silent: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def served(self) -> frozenset[str]:
        """All revisions that ready pods serve."""
        return frozenset().union(*(revisions for _, revisions in self.serving))

    @property
    def settled(self) -> str | None:
        """The single revision that every ready pod serves; None if there is none."""
        served = self.served
        return next(iter(served)) if self.ready and not self.silent and len(served) == 1 else None


def summarize(pods: Iterable[PodState], wanted: str) -> Fleet:
    """Summarize all pods; ``wanted`` is the revision that they should serve."""
    ready = 0
    serving: list[tuple[str, frozenset[str]]] = []
    silent: list[str] = []
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
        revisions = [process.revision for process in processes if process is not None and process.revision is not None]
        serving.append((pod.name, frozenset(revisions)))
        if len(revisions) < len(processes):
            silent.append(pod.name)
    return Fleet(ready=ready, serving=tuple(serving), silent=tuple(silent), refusal=min(refusals, default=None))


def condition(
    fleet: Fleet,
    name: str | None,
    wanted: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    *,
    fits: bool,
    before: str | None = None,
    unchanged: bool = False,
) -> ConditionState:
    """Return the state of the condition for one object.

    ``name`` is the name of the object's slice, None if nothing of the object can serve. ``wanted`` are the slices that
    should be live, ``known`` those of each known revision. ``fits`` says that the object is part of the bundle, if it
    can serve. ``before`` is the condition's last message. ``unchanged`` says that it was true and that the object is
    still as it was then.
    """
    if not fits:
        return _TOO_LARGE
    if name is None:
        return _NOTHING
    if not fleet.ready:
        return ("False", Reason.NO_READY_PODS, " ".join(filter(None, ("No proxy pod is ready.", fleet.refusal))))
    mine = wanted.get(name)
    stale = {revision for revision in fleet.served if revision not in known or known[revision].get(name) != mine}
    if not stale and (unchanged or not fleet.silent):
        return _LIVE if mine is not None else _UNSPENT
    if fleet.refusal is not None:
        return ("False", Reason.REFUSED, fleet.refusal)
    return ("False", Reason.PENDING, _pending(fleet, stale, before))


def _pending(fleet: Fleet, stale: Collection[str], before: str | None) -> str:
    """Name one pod that the object waits for, and stay with it: another name would be one more write per object."""
    waits = [f"{_PENDING}{pod} is ready but does not report what it serves." for pod in fleet.silent]
    for pod, revisions in fleet.serving:
        waits += [
            f"{_PENDING}{pod} still serves revision {revision}." for revision in sorted(revisions.intersection(stale))
        ]
    return before if before in waits else min(waits)


def _refusal(report: PodReport, wanted: str) -> str | None:
    """Return which process of a pod could not load a revision, and why; None if none reports a failure."""
    if report.error is not None and report.wanted == wanted:
        return f"agent: {report.error}"
    for name, process in (("gateway", report.gateway), ("litellm", report.litellm)):
        if process is not None and process.refused == wanted:
            return f"{name}: {process.error or 'no reason given'}"
    return None
