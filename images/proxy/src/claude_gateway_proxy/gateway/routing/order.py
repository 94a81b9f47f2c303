"""In which order the targets of a route are tried."""

from collections.abc import Callable, Sequence

from claude_gateway.contract.policy import Target


def order(targets: Sequence[Target], *, random: Callable[[], float], well: Callable[[str], bool]) -> Sequence[Target]:
    """All targets, lowest priority number first, those of one priority drawn by weight; those that are not well last.

    ``random`` gives numbers in [0, 1), ``well`` says of a target's id whether it may be tried in its turn. Each draw
    takes a target with the chance of its weight among those left, so that what a failed target would have got is
    spread by weight as well.
    """
    if len(targets) == 1:
        return targets
    fit: list[Target] = []
    ill: list[Target] = []
    for target in targets:
        (fit if well(target.id) else ill).append(target)
    return [*_drawn(fit, random), *_drawn(ill, random)]


def _drawn(targets: Sequence[Target], random: Callable[[], float]) -> Sequence[Target]:
    ordered: list[Target] = []
    for priority in sorted({target.priority for target in targets}):
        left = [target for target in targets if target.priority == priority]
        while left:
            ordered.append(left.pop(_draw(left, random())))
    return ordered


def _draw(targets: Sequence[Target], chance: float) -> int:
    point = chance * sum(target.weight for target in targets)
    for index, target in enumerate(targets):
        point -= target.weight
        if point < 0:
            return index
    return len(targets) - 1
