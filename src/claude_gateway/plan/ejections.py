"""The condition of a ModelRoute that says which of its targets proxy pods have ejected, until when and why.

The pods report ejections that last for more than a minute. Each failure may change their end and their reason, and each
pod has its own, so that a message that names the same targets is not written before the old one is out of date.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from claude_gateway.contract.report import EjectedTarget
from claude_gateway.contract.route import Route
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.status.programmed import ConditionState, PodState
from claude_gateway.plan.status.stored_status import Condition, timestamp

_FRESH: Final = timedelta(minutes=10)
"""How long a message may stay after its end."""

_SHOWN: Final = 4
_MODEL: Final = 64
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PASSING: Final = re.compile(r" is tried last until [^ ,]{0,32}, on \d{1,9} of \d{1,9} pods: [a-z_ ]{0,64}\.")
"""The part of a message that changes all the time."""
_LATEST: Final = 253_402_300_799.0
_WHY: Final[Mapping[str, str]] = {
    "connect": "it cannot be reached",
    "address": "its address is not allowed",
    "redirect": "it answers with a redirect",
    "credential": "it rejects the credential",
    "rate_limited": "its rate limit is used up",
    "overloaded": "it is overloaded",
    "status": "it answers with errors",
    "first_token": "it does not answer in time",
    "broken": "its answers break off",
}


@dataclass(frozen=True, slots=True)
class Ejections:
    """What all pods report: the ejected targets of each route, by the route's name, and how many pods report at all."""

    of_routes: Mapping[str, Sequence[EjectedTarget]] = field(default_factory=dict)
    pods: int = 0


def summarize(routes: Sequence[Route], pods: Iterable[PodState]) -> Ejections:
    """Return what the pods report about the targets of the current policy; an edited target counts as another one."""
    reports = [pod.report.gateway.ejected for pod in pods if pod.report is not None and pod.report.gateway is not None]
    if not any(reports):
        return Ejections(pods=len(reports))
    owners = {target.id: route.name for route in routes for target in route.all_targets}
    found: dict[str, list[EjectedTarget]] = {}
    for ejected in chain.from_iterable(reports):
        if ejected.target in owners:
            found.setdefault(owners[ejected.target], []).append(ejected)
    return Ejections(found, pods=len(reports))


def states(
    found: Ejections, route: str, *, before: Iterable[Condition], now: datetime
) -> dict[ConditionType, ConditionState]:
    """Return the condition of a route; no condition if no pod has ejected a target.

    ``before`` are the conditions that were written last.
    """
    ejected = found.of_routes.get(route)
    if not ejected:
        return {}
    sentences = [_sentence(where, same, found.pods) for where, same in sorted(_by_place(ejected).items())]
    more = len(sentences) - _SHOWN
    message = " ".join([*sentences[:_SHOWN], *([f"And {more} more."] if more > 0 else [])])
    old = next((condition.message for condition in before if condition.type == ConditionType.TARGETS_EJECTED), "")
    return {ConditionType.TARGETS_EJECTED: ("True", Reason.EJECTED, old if _stands(old, message, now) else message)}


def _by_place(ejected: Iterable[EjectedTarget]) -> dict[str, list[EjectedTarget]]:
    places: dict[str, list[EjectedTarget]] = {}
    for each in ejected:
        places.setdefault(_where(each), []).append(each)
    return places


def _sentence(where: str, same: Sequence[EjectedTarget], pods: int) -> str:
    """Describe what the pods report about one target; the latest end counts."""
    latest = max(same, key=lambda each: each.until)
    until = timestamp(datetime.fromtimestamp(min(max(latest.until, 0.0), _LATEST), UTC))
    why = _WHY.get(latest.reason, latest.reason)
    return f"{where} is tried last until {until}, on {len(same)} of {pods} pods: {why}."


def _where(each: EjectedTarget) -> str:
    """Return the field of the target, and the model if only one is affected; an id is ``<route>/<index>.<hash>``."""
    index = each.target.rpartition("/")[2].rpartition(".")[0]
    place = f"targets[{index}]" if index.isdecimal() else f"target {index}"
    return f"{place} ({each.model[:_MODEL]})" if each.model else place


def _stands(old: str, new: str, now: datetime) -> bool:
    """Return whether an old message says the same as a new one and is not out of date."""
    if _bare(old) != _bare(new):
        return False
    try:
        return max(map(datetime.fromisoformat, _TIME.findall(old))) + _FRESH >= now
    except ValueError:
        # Somebody else wrote the status.
        return False


def _bare(message: str) -> str:
    return _PASSING.sub(";", message)
