"""Divides the rest of each budget between the proxy pods, as leases that never add up to more than the rest.

A lease is the most that a pod may spend in a window, including what it spent before. A silent pod may still spend its
lease, so a lower lease counts only once the pod reports it, and the lease of a pod that is gone counts as spent unless
the pod reported that it was done. Half of the rest is kept in reserve for pods that need more than their share.

The clock may be wrong. What is known about windows is kept if they only seem to be over, or seem not to have begun
although money was spent in them. So a clock that jumps forth and back does not hand out money twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.contract.allotment import Allotments, Windows
from claude_gateway.contract.budget import Budget, Spending, Window, read_window, window
from claude_gateway.contract.payers import PART
from claude_gateway.contract.report import BudgetUse, ProcessReport

_KEPT_BACK: Final = 2
_HELD: Final = 4
"""The most windows kept of a budget, besides the current and the next one."""


@dataclass(frozen=True, slots=True)
class PodUse:
    """What a pod last reported about budgets and members' parts; ``there`` says whether the pod still exists."""

    pod: str
    uses: Mapping[tuple[str, str], BudgetUse] = field(default_factory=dict)
    members: tuple[BudgetUse, ...] = ()
    drained: bool = False
    there: bool = True


@dataclass(frozen=True, slots=True)
class Division:
    """The leases, and what was spent of each budget in its current window."""

    allotments: Allotments
    spending: Mapping[str, Spending]


def pod_use(pod: str, report: ProcessReport | None, *, there: bool = True) -> PodUse:
    """Return what a pod's gateway reports about budgets; None if it did not report."""
    if report is None:
        return PodUse(pod, there=there)
    uses = {(use.budget, use.window): use for use in report.budgets if not use.member}
    members = tuple(use for use in report.budgets if use.member)
    return PodUse(pod, uses, members, drained=report.drained, there=there)


def divide(
    budgets: Iterable[Budget],
    pods: Sequence[PodUse],
    before: Allotments,
    *,
    now: float,
    known: Mapping[str, Spending],
    forgotten: Collection[str] = (),
) -> Division:
    """Divide all budgets again; pure.

    ``before`` is what was written last. ``known`` is what statuses say was spent, for windows that ``before`` does not
    have. ``forgotten`` are the keys of windows that have been over for long enough.
    """
    leases: dict[str, Windows] = {pod.pod: {} for pod in pods if pod.there}
    gone: Windows = {}
    spent: Windows = {}
    unstored: Windows = {}
    spending: dict[str, Spending] = {}
    windows: dict[str, tuple[Window, ...]] = {}
    counted = _counted(pods, before)
    keys = written(before)
    for budget in budgets:
        current = window(budget.period, now)
        following = window(budget.period, current.ends_at)
        others = (current.key, following.key, *forgotten)
        held = _held(budget, keys.get(budget.name, frozenset()).difference(others), before, now=now)
        windows[budget.name] = (current, following, *held)
        for each in windows[budget.name]:
            accounts = [_account(budget.name, each, pod, before) for pod in pods]
            part = _part(budget, each, accounts, before, known, now=now, held=each in held, counted=counted)
            for pod, lease in part.leases.items():
                _note(leases[pod], budget.name, each, lease)
            _note(gone, budget.name, each, part.gone)
            _note(spent, budget.name, each, part.spent or None)
            _note(unstored, budget.name, each, part.unstored or None)
            if each is current:
                spending[budget.name] = Spending(current, part.spent + part.unstored)
    _count_members(windows, pods, before, gone=gone, spent=spent)
    there = max(1, sum(pod.there for pod in pods))
    found = Allotments(pods=there, counted=counted, leases=leases, gone=gone, spent=spent, unstored=unstored)
    return Division(found, spending)


def _note(into: Windows, name: str, each: Window, amount: int | None) -> None:
    if amount is not None:
        into.setdefault(name, {})[each.key] = amount


def written(before: Allotments) -> dict[str, frozenset[str]]:
    """Return the keys of each budget's windows that were written before."""
    found: dict[str, set[str]] = {}
    for windows in (before.gone, before.spent, before.unstored, *before.leases.values()):
        for name, keys in windows.items():
            found.setdefault(name.partition(PART)[0], set()).update(keys)
    return {name: frozenset(keys) for name, keys in found.items()}


def _held(budget: Budget, keys: Iterable[str], before: Allotments, *, now: float) -> tuple[Window, ...]:
    """Return the windows among ``keys`` that another clock may be in: those that began first, then the nearest."""
    began = before.gone.get(budget.name, {})
    found = (read_window(key) for key in keys)
    of_period = (each for each in found if each is not None and window(budget.period, each.begins_at) == each)
    order = sorted(of_period, key=lambda each: (each.key not in began, abs(each.begins_at - now), each.begins_at))
    return tuple(order[:_HELD])


def _count_members(
    windows: Mapping[str, Sequence[Window]],
    pods: Iterable[PodUse],
    before: Allotments,
    *,
    gone: Windows,
    spent: Windows,
) -> None:
    """Add up what members spent on all pods in these windows; for pods that are gone, their last report counts."""
    keys = {name: {each.key for each in found} for name, found in windows.items()}
    for name, counted in before.gone.items():
        budget, _, person = name.partition(PART)
        kept = {key: lost for key, lost in counted.items() if person and key in keys.get(budget, ())}
        if kept:
            gone[name] = dict(kept)
            spent[name] = dict(kept)
    for pod in pods:
        for use in pod.members:
            if use.window not in keys.get(use.budget, ()):
                continue
            for into in (spent, *(() if pod.there else (gone,))):
                sums = into.setdefault(f"{use.budget}{PART}{use.member}", {})
                sums[use.window] = sums.get(use.window, 0) + use.spent


@dataclass(frozen=True, slots=True)
class _Account:
    """One pod's part of a budget in a window. ``bound`` is the most that it may spend, as far as is known.

    ``reported`` says that the pod itself reports the part.
    """

    pod: str
    there: bool
    reported: bool
    spent: int
    used: int
    bound: int
    short: int
    total: int | None
    owed: int
    drained: bool


def _account(budget: str, each: Window, pod: PodUse, before: Allotments) -> _Account:
    use = pod.uses.get((budget, each.key))
    written = before.leases.get(pod.pod, {}).get(budget, {}).get(each.key, 0)
    if use is None:
        return _Account(pod.pod, pod.there, False, 0, 0, written, 0, None, 0, pod.drained)
    bound = max(written, use.lease, use.used)
    return _Account(pod.pod, pod.there, True, use.spent, use.used, bound, use.short, use.total, use.owed, pod.drained)


@dataclass(frozen=True, slots=True)
class _Part:
    """One budget's part of a division in one window; ``gone`` is None for a window that has not begun."""

    leases: Mapping[str, int]
    gone: int | None
    spent: int
    unstored: int


def _part(
    budget: Budget,
    each: Window,
    accounts: Sequence[_Account],
    before: Allotments,
    known: Mapping[str, Spending],
    *,
    now: float,
    held: bool,
    counted: bool,
) -> _Part:
    gone = _gone(budget.name, each, accounts, before, known, now=now, held=held)
    lost = gone or 0
    spent = _stored(budget.name, each, accounts, before, known) if counted else _total(lost, accounts)
    if held:
        # Pods do not report it any more once it is over by their clocks.
        spent = max(spent, before.spent.get(budget.name, {}).get(each.key, 0))
    unstored = _unstored(budget.name, each, accounts, before) if counted else 0
    return _Part(_leases(budget.amount - lost, accounts, held=held), gone, spent, unstored)


def _gone(
    budget: str,
    each: Window,
    accounts: Sequence[_Account],
    before: Allotments,
    known: Mapping[str, Spending],
    *,
    now: float,
    held: bool,
) -> int | None:
    """Return what pods that no longer exist spent, or may have spent; None for a window that has not begun."""
    lost = before.gone.get(budget, {}).get(each.key)
    if lost is None and each.begins_at > now and not any(account.used for account in accounts):
        return None
    if lost is None and not before.leases:
        # Only the total of the pods before these is known.
        lost = max(0, _stated(budget, each, known) - sum(account.spent for account in accounts))
    lost = lost or 0
    for account in accounts:
        if not account.there:
            # A pod whose clock is ahead no longer reports a window that is still kept here.
            done = account.drained and (account.reported or not held)
            lost += account.spent if done else account.bound
    names = {account.pod for account in accounts}
    for pod, leases in before.leases.items():
        if pod not in names:
            lost += leases.get(budget, {}).get(each.key, 0)
    return lost


def _stated(budget: str, each: Window, known: Mapping[str, Spending]) -> int:
    """Return what a budget's status says was spent in a window; 0 if it is about another window."""
    found = known.get(budget)
    return found.spent if found is not None and found.window == each else 0


def _counted(pods: Iterable[PodUse], before: Allotments) -> bool:
    """Return whether a store counts for all pods, according to the pods that report; without reports, as before."""
    uses = [use for pod in pods if pod.there for use in pod.uses.values()]
    return any(use.total is not None for use in uses) if uses else before.counted


def _stored(
    budget: str, each: Window, accounts: Sequence[_Account], before: Allotments, known: Mapping[str, Spending]
) -> int:
    """Return what a store counted for all pods. An amount once counted stays spent, even if the store loses it."""
    stated = 0 if before.spent else _stated(budget, each, known)
    written = before.spent.get(budget, {}).get(each.key, 0)
    return max(written, stated, *(account.total or 0 for account in accounts))


def _unstored(budget: str, each: Window, accounts: Iterable[_Account], before: Allotments) -> int:
    """Return what no store has counted: a pod that is gone with uncounted spend may have spent all of its lease."""
    gone = [account for account in accounts if not account.there and account.owed]
    more = (account.owed if account.drained else account.bound - account.used + account.owed for account in gone)
    return before.unstored.get(budget, {}).get(each.key, 0) + sum(more)


def _total(lost: int, accounts: Sequence[_Account]) -> int:
    """Return what was spent in all: the sum of what pods report, with those that are gone."""
    return lost + sum(account.spent for account in accounts if account.there)


def _leases(amount: int, accounts: Iterable[_Account], *, held: bool) -> dict[str, int]:
    """Return the lease of each pod that exists; ``amount`` is what pods that are gone left over.

    A pod that reports nothing may spend what it has: its lease never falls, and does not rise in windows that are kept.
    """
    there = [account for account in accounts if account.there]
    free = amount - sum(account.bound for account in there)
    rest = max(0, amount - sum(account.used for account in there))
    share = rest // (_KEPT_BACK * max(1, len(there)))
    wants = {account.pod: _wanted(account, 0 if held else share, share) for account in there}
    tight = free < sum(max(0, wants[account.pod] - account.bound) for account in there)
    leases: dict[str, int] = {}
    for account in sorted(there, key=lambda account: (-account.short, account.pod)):
        more = wants[account.pod] - account.bound
        if more > 0:
            given = min(more, max(0, free))
            free -= given
            leases[account.pod] = account.bound + given
        else:
            leases[account.pod] = max(wants[account.pod], account.used) if tight else account.bound
    return leases


def _wanted(account: _Account, least: int, share: int) -> int:
    """Return the lease that a pod should have; ``least`` is that of a pod that reports nothing."""
    return account.used + max(share, account.short) if account.reported else max(least, account.bound)
