"""Divides what is left of each budget between the proxy pods, as leases that never add up to more than that.

A lease is the most that a pod may spend in a window, with what it spent before. A pod that is silent may still spend
its lease, so a lower one counts only once the pod reports it, and the lease of a pod that is gone counts as spent,
unless the pod reported that it was done. Half of the rest is kept back for pods that need more than their share.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.contract.allotment import Allotments, Windows
from claude_gateway.contract.budget import Budget, Spending, Window, window
from claude_gateway.contract.payers import PART
from claude_gateway.contract.report import BudgetUse, ProcessReport

_KEPT_BACK: Final = 2


@dataclass(frozen=True, slots=True)
class PodUse:
    """What a pod reported last of budgets and of members' parts; ``there`` is whether it still exists."""

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
    """Return what a pod's gateway reports of budgets; None: it did not report."""
    if report is None:
        return PodUse(pod, there=there)
    uses = {(use.budget, use.window): use for use in report.budgets if not use.member}
    members = tuple(use for use in report.budgets if use.member)
    return PodUse(pod, uses, members, drained=report.drained, there=there)


def divide(
    budgets: Iterable[Budget], pods: Sequence[PodUse], before: Allotments, *, now: float, known: Mapping[str, Spending]
) -> Division:
    """Divide all budgets again; pure.

    ``before`` is what was written last. ``known`` is what statuses say was spent, for windows of which ``before`` says
    nothing.
    """
    leases: dict[str, Windows] = {pod.pod: {} for pod in pods if pod.there}
    gone: Windows = {}
    spent: Windows = {}
    spending: dict[str, Spending] = {}
    counted = _counted(pods, before)
    for budget in budgets:
        current = window(budget.period, now)
        for each in (current, window(budget.period, current.ends_at)):
            accounts = [_account(budget.name, each, pod, before) for pod in pods]
            # A pod that is gone spends nothing in a window that has not begun.
            lost = _gone(budget.name, each, accounts, before, known) if each is current else 0
            total = _stored(budget.name, each, accounts, before, known) if counted else _total(lost, accounts)
            for pod, lease in _leases(budget.amount - lost, accounts).items():
                leases[pod].setdefault(budget.name, {})[each.key] = lease
            if lost:
                gone.setdefault(budget.name, {})[each.key] = lost
            if total:
                spent.setdefault(budget.name, {})[each.key] = total
            if each is current:
                spending[budget.name] = Spending(current, total)
    _count_members({name: found.window for name, found in spending.items()}, pods, before, gone=gone, spent=spent)
    there = sum(pod.there for pod in pods)
    return Division(Allotments(pods=max(1, there), counted=counted, leases=leases, gone=gone, spent=spent), spending)


def _count_members(
    windows: Mapping[str, Window], pods: Iterable[PodUse], before: Allotments, *, gone: Windows, spent: Windows
) -> None:
    """Add up what members spent on all pods in the current windows; of pods that are gone, what they reported last."""
    for name, counted in before.gone.items():
        budget, _, person = name.partition(PART)
        key = windows[budget].key if person and budget in windows else None
        if key is not None and key in counted:
            gone[name] = {key: counted[key]}
            spent[name] = {key: counted[key]}
    for pod in pods:
        for use in pod.members:
            if use.budget not in windows or windows[use.budget].key != use.window:
                continue
            for into in (spent, *(() if pod.there else (gone,))):
                sums = into.setdefault(f"{use.budget}{PART}{use.member}", {})
                sums[use.window] = sums.get(use.window, 0) + use.spent


@dataclass(frozen=True, slots=True)
class _Account:
    """One pod's part of a budget in a window. ``bound`` is the most that it may spend, as far as anybody knows."""

    pod: str
    there: bool
    spent: int
    used: int
    bound: int
    short: int
    total: int | None
    drained: bool


def _account(budget: str, each: Window, pod: PodUse, before: Allotments) -> _Account:
    use = pod.uses.get((budget, each.key))
    written = before.leases.get(pod.pod, {}).get(budget, {}).get(each.key, 0)
    if use is None:
        return _Account(pod.pod, pod.there, 0, 0, written, 0, None, pod.drained)
    bound = max(written, use.lease, use.used)
    return _Account(pod.pod, pod.there, use.spent, use.used, bound, use.short, use.total, pod.drained)


def _gone(
    budget: str, each: Window, accounts: Sequence[_Account], before: Allotments, known: Mapping[str, Spending]
) -> int:
    """Return what pods spent, or may have spent, that do not exist any more."""
    names = {account.pod for account in accounts}
    lost = before.gone.get(budget, {}).get(each.key)
    if lost is None and not before.leases:
        # Only the total of the pods before these is known.
        found = known.get(budget)
        total = found.spent if found is not None and found.window == each else 0
        lost = max(0, total - sum(account.spent for account in accounts))
    lost = lost or 0
    for account in accounts:
        if not account.there:
            lost += account.spent if account.drained else account.bound
    for pod, written in before.leases.items():
        if pod not in names:
            lost += written.get(budget, {}).get(each.key, 0)
    return lost


def _counted(pods: Iterable[PodUse], before: Allotments) -> bool:
    """Return whether a store counts for all pods, as those say that report anything; else as before."""
    uses = [use for pod in pods if pod.there for use in pod.uses.values()]
    return any(use.total is not None for use in uses) if uses else before.counted


def _stored(
    budget: str, each: Window, accounts: Sequence[_Account], before: Allotments, known: Mapping[str, Spending]
) -> int:
    """Return what a store counted for all pods. What it counted once stays spent, even if the store loses it."""
    found = known.get(budget)
    stated = found.spent if found is not None and found.window == each and not before.spent else 0
    written = before.spent.get(budget, {}).get(each.key, 0)
    return max(written, stated, *(account.total or 0 for account in accounts))


def _total(lost: int, accounts: Sequence[_Account]) -> int:
    """Return what was spent in all: the sum of what pods report, with those that are gone."""
    return lost + sum(account.spent for account in accounts if account.there)


def _leases(amount: int, accounts: Iterable[_Account]) -> dict[str, int]:
    """Return the lease of each pod that exists; ``amount`` is what pods that are gone have left."""
    there = [account for account in accounts if account.there]
    free = amount - sum(account.bound for account in there)
    rest = max(0, amount - sum(account.used for account in there))
    share = rest // (_KEPT_BACK * max(1, len(there)))
    wants = {account.pod: account.used + max(share, account.short) for account in there}
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
