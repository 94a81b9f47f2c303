"""ModelRoutes of an import: groups of targets under names, within the bounds of our API."""

from collections.abc import Iterable, Sequence
from math import ceil, gcd
from typing import Final

from claude_gateway.cli.importing.deployments import SHARES, Deployment
from claude_gateway.cli.importing.draft import LOWEST_PRIORITY, MOST_NAMES, MOST_TARGETS, Draft, Json, NotAccepted
from claude_gateway.cli.importing.report import Report

CONTEXT_FIX: Final = "Remove these targets from the route if only long requests may use them."
_LONGEST_SECONDS: Final = 86_400.0
_HEAVIEST: Final = 1000
_FINEST: Final = 1_000_000
FIRST_TOKEN: Final = 120
"""Seconds that the first byte may take where nothing else is written."""


def grouped(found: Iterable[Deployment]) -> dict[str, list[Deployment]]:
    """Return deployments by the name of their group, in order."""
    groups: dict[str, list[Deployment]] = {}
    for deployment in found:
        groups.setdefault(deployment.group, []).append(deployment)
    return groups


def add(
    draft: Draft,
    report: Report,
    *,
    names: Sequence[str],
    members: Sequence[Deployment],
    after: Sequence[Deployment] = (),
    common: Json | None = None,
    only: str | None = None,
) -> None:
    """Add the route of a group.

    ``after`` are the targets of other groups that follow its own. ``only`` is the one client that may use it;
    ``common`` are the timeouts of all groups.
    """
    at, own = members[0].at, members
    members = [*own, *after]
    if len(members) > MOST_TARGETS:
        fix = f"Split the model: a route has at most {MOST_TARGETS} targets."
        report.lose(at, f"{len(members) - MOST_TARGETS} of {len(members)} targets are left out", fix)
    if len(names) > MOST_NAMES:
        fix = f"Make a second route: a route has at most {MOST_NAMES} names."
        report.lose(at, f"{len(names) - MOST_NAMES} of {len(names)} names are left out", fix)
    spec: Json = {"models": list(names[:MOST_NAMES]), "targets": _targets(members[:MOST_TARGETS])}
    timeouts = _timeouts(own, common)
    if timeouts:
        spec["timeouts"] = timeouts
    if only is not None:
        spec["allowedClients"] = {"from": "Clients", "clients": [only]}
    try:
        draft.route(names[0], spec)
    except NotAccepted as refused:
        report.lose(at, f"{refused.field}: {refused}", "Rename the model in both places, and import again.")


def duration(seconds: float) -> str:
    """Return a duration as our API writes it."""
    return f"{max(1, min(ceil(seconds), int(_LONGEST_SECONDS)))}s"


def _targets(members: Sequence[Deployment]) -> list[Json]:
    levels = sorted({member.target.get("priority", 0) for member in members})
    ranks = {level: min(rank, LOWEST_PRIORITY) for rank, level in enumerate(levels)}
    targets: list[Json] = []
    for rank in sorted(set(ranks.values())):
        level = [member for member in members if ranks[member.target.get("priority", 0)] == rank]
        for member, weight in zip(level, _weights(level), strict=True):
            target = {key: value for key, value in member.target.items() if key != "priority"}
            more = {"weight": weight} if weight != 1 else {}
            targets.append({**target, **more, **({"priority": rank} if rank else {})})
    return targets


def _weights(members: Sequence[Deployment]) -> list[int]:
    """Return the shares of targets of one priority as whole numbers from 1 to 1000, as small as possible."""
    kind = next((name for name in SHARES if any(name in member.shares for member in members)), "")
    shares = [member.shares.get(kind, 0.0) for member in members]
    most = max(shares, default=0.0)
    if most <= 0:
        return [1] * len(members)
    scale = 1.0 if all(share.is_integer() for share in shares) and most <= _FINEST else _FINEST / most
    whole = [round(share * scale) for share in shares]
    divisor = max(gcd(*whole) if all(whole) else 1, ceil(max(whole) / _HEAVIEST))
    return [max(1, round(number / divisor)) for number in whole]


def _timeouts(members: Sequence[Deployment], common: Json | None) -> Json:
    """Return the longest timeouts of a route's targets: they hold for the route as a whole."""
    longest = dict(common or {})
    for name in ("total", "firstToken"):
        own = [member.timeouts[name] for member in members if name in member.timeouts]
        if own:
            longest[name] = max(own)
    if "firstToken" in longest and "total" in longest:
        longest["firstToken"] = min(longest["firstToken"], longest["total"])
    return {name: duration(value) for name, value in longest.items()}
