"""The order in which the targets of one request are tried.

Targets of one priority are ordered by the request's key, or drawn at random if it has none. A target takes
no more than its limit while others of its priority have room: bounded-load consistent hashing. Source: Mirrokni, Thorup
and Zadimoghaddam, "Consistent hashing with bounded loads" (2016).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.routing.affinity import Key, distance, names

FACTOR: Final = 1.5
"""The most that a target may have in flight in one pod, relative to its fair share by weight."""

LEAST: Final = 8
"""Requests in flight up to which a target is never full, so that a quiet pod never moves a session."""

Rank = Callable[[Sequence[Target]], list[Target]]


class Order(msgspec.Struct, frozen=True):
    """All targets, the first to be tried first.

    ``ejected``: a target that would come before the first one is ejected. ``full``: the one that the key belongs to is
    over its limit. ``moves_to`` is the name of the target that the session moves to, because its own is ejected.
    ``called`` has the names that ``kept`` may have, by id.
    """

    targets: Sequence[Target]
    ejected: bool = False
    full: bool = False
    moves_to: str | None = None
    called: Mapping[str, str] = msgspec.field(default_factory=dict)


def share(targets: Sequence[Target]) -> bool:
    """Return whether several targets have the same priority, so that a choice between them is necessary."""
    return len({target.priority for target in targets}) < len(targets)


def order(
    targets: Sequence[Target],
    *,
    key: Key | None,
    random: Callable[[], float],
    well: Callable[[str], bool],
    load: Callable[[str], int],
    kept: str | None = None,
) -> Order:
    """Order targets: lowest priority number first, those of one priority by key or drawn by weight, ejected ones last.

    ``random`` returns numbers in [0, 1). ``well`` returns whether a target (by id) may be tried in its turn, ``load``
    how many requests it has in flight in this pod. ``kept`` is the name of the target that the key's session moved to
    (see ``names``): it comes first among those of its priority.
    """
    if len(targets) == 1:
        return Order(targets)
    fit: list[Target] = []
    ill: list[Target] = []
    for target in targets:
        (fit if well(target.id) else ill).append(target)
    if key is None:
        ordered = _by_priority([fit, ill], lambda tier: _drawn(tier, random))
        return Order(ordered, ejected=_passed_over(ordered))
    return _by_key(fit, ill, far=_Far(targets, key=key, kept=kept), load=load)


class _Far:
    """The distance of the targets from a key; the one that its session moved to is the nearest."""

    def __init__(self, targets: Sequence[Target], *, key: Key, kept: str | None) -> None:
        self.called = names(targets)
        self.distances = {
            target.id: -1.0 if self.called[target.id] == kept else distance(key, self.called[target.id], target.weight)
            for target in targets
        }

    def of(self, target: Target) -> float:
        return self.distances[target.id]

    def ranked(self, targets: Sequence[Target]) -> list[Target]:
        return sorted(targets, key=self.of)


def _by_key(fit: Sequence[Target], ill: Sequence[Target], *, far: _Far, load: Callable[[str], int]) -> Order:
    ordered = _by_priority([fit, ill], far.ranked)
    if not fit:
        return Order(ordered, ejected=_passed_over(ordered), called=far.called)
    first = ordered[0]
    same = sum(target.priority == first.priority for target in fit)
    displaced = any(other.priority == first.priority and far.of(other) < far.of(first) for other in ill)
    roomy = _roomy(ordered[:same], load)
    return Order(
        [*roomy, *ordered[same:]],
        ejected=displaced or _passed_over(ordered),
        full=roomy[0] is not first,
        moves_to=far.called[first.id] if displaced else None,
        called=far.called,
    )


def limits(targets: Sequence[Target], loads: Mapping[str, int]) -> dict[str, int]:
    """Return by id how many requests each of the targets that share the work may have in flight, one more included.

    ``loads`` are those in flight now. Together the targets always have room for one more.
    """
    total = 1 + sum(loads[target.id] for target in targets)
    weights = sum(target.weight for target in targets)
    return {target.id: max(LEAST, math.ceil(FACTOR * total * target.weight / weights)) for target in targets}


def _roomy(tier: list[Target], load: Callable[[str], int]) -> list[Target]:
    """Return the targets, those below their limits first."""
    loads = {target.id: load(target.id) for target in tier}
    if len(tier) == 1 or max(loads.values()) < LEAST:
        return tier
    limit = limits(tier, loads)
    return sorted(tier, key=lambda target: loads[target.id] >= limit[target.id])


def _by_priority(groups: Sequence[Sequence[Target]], rank: Rank) -> list[Target]:
    return [
        target
        for group in groups
        for priority in sorted({target.priority for target in group})
        for target in rank([target for target in group if target.priority == priority])
    ]


def _passed_over(ordered: Sequence[Target]) -> bool:
    """Whether a target of a lower priority number comes later: only an ejected one does."""
    return any(target.priority < ordered[0].priority for target in ordered)


def _drawn(targets: Sequence[Target], random: Callable[[], float]) -> list[Target]:
    """Draw targets by weight; the share of a failed target is spread by weight as well."""
    left, drawn = list(targets), []
    while left:
        drawn.append(left.pop(_draw(left, random())))
    return drawn


def _draw(targets: Sequence[Target], chance: float) -> int:
    point = chance * sum(target.weight for target in targets)
    for index, target in enumerate(targets):
        point -= target.weight
        if point < 0:
            return index
    return len(targets) - 1
