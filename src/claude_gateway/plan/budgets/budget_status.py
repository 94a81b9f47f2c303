"""What the status of a Budget says of its spend: written at most once a minute, and at once where it matters."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from claude_gateway.api.budget import BudgetSpec
from claude_gateway.contract import money
from claude_gateway.contract.budget import Spending, Window
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.status.budget_details import BudgetDetails
from claude_gateway.plan.status.programmed import ConditionState
from claude_gateway.plan.status.stored_status import timestamp
from claude_gateway.plan.world import Item, World

EVERY: Final = timedelta(minutes=1)
"""How long a spend that passed no threshold stays in the status."""
_THRESHOLDS: Final = (75, 95, 100)


def details(
    item: Item[Any], spending: Mapping[str, Spending], before: BudgetDetails | None, now: datetime
) -> BudgetDetails | None:
    """Return what the status of a Budget should say; None for the other kinds, and while nothing is known.

    ``before`` is what it says. A newer spend replaces it after ``EVERY``, or if it passed a threshold.
    """
    found = spending.get(item.ref.full_name)
    if not isinstance(item.spec, BudgetSpec) or found is None:
        return before
    amount = money.parse(item.spec.amount)
    news = BudgetDetails(
        spent=_plain(found.spent),
        amount=_plain(amount),
        used_percent=found.spent * 100 // amount,
        started_at=_time(found.window.begins_at),
        resets_at=_time(found.window.ends_at),
        updated_at=timestamp(now),
    )
    return before if before is not None and _stands(before, news, now) else news


def known(world: World) -> dict[str, Spending]:
    """Return what the statuses say was spent, by this release; without those that somebody else wrote."""
    found: dict[str, Spending] = {}
    for item in world.budgets:
        entry = item.status.of(world.settings.identity)
        written = None if entry is None else entry.report.budget
        spent = None if written is None else written.nanodollars
        if written is None or spent is None:
            continue
        try:
            begins, ends = (datetime.fromisoformat(text) for text in (written.started_at, written.resets_at))
        except ValueError:
            continue
        found[item.ref.full_name] = Spending(Window(int(begins.timestamp()), int(ends.timestamp())), spent)
    return found


def states(item: Item[Any], spending: Mapping[str, Spending], now: datetime) -> dict[ConditionType, ConditionState]:
    """Return the condition of a Budget that is spent; no condition for any other Budget."""
    found = spending.get(item.ref.full_name)
    if not isinstance(item.spec, BudgetSpec) or found is None or found.window.ends_at <= now.timestamp():
        return {}
    amount = money.parse(item.spec.amount)
    if found.spent < amount:
        return {}
    message = f"The {_plain(amount)} dollars of this {item.spec.period.lower()} are spent"
    does = {
        "Block": "requests are rejected until then",
        "Warn": "requests are served with a warning",
        "Route": f"the model `{item.spec.route_to}` serves its requests until then",
    }[item.spec.action]
    text = f"{message}. The next one begins at {_time(found.window.ends_at)}; {does}."
    return {ConditionType.SPENT: ("True", Reason.SPENT, text)}


def wake_at(world: World, now: datetime) -> datetime | None:
    """Return when the next status update is due: at the end of the window, or after ``EVERY``."""
    ends = [datetime.fromtimestamp(found.window.ends_at, UTC) for found in world.spending.values()]
    later = [end for end in ends if end > now]
    return min([*later, now + EVERY]) if later else None


def _stands(before: BudgetDetails, news: BudgetDetails, now: datetime) -> bool:
    """Return whether what is written is still good enough."""
    same = (before.amount, before.started_at, before.resets_at) == (news.amount, news.started_at, news.resets_at)
    if not same or _step(before.used_percent) != _step(news.used_percent):
        return False
    if before.spent == news.spent:
        return True
    try:
        return now - datetime.fromisoformat(before.updated_at) < EVERY
    except (ValueError, TypeError):
        # Somebody else wrote the status.
        return False


def _step(percent: int) -> int:
    return sum(percent >= threshold for threshold in _THRESHOLDS)


def _plain(amount: int) -> str:
    """Return an amount in dollars, to the cent or as exactly as it is known."""
    whole, _, rest = money.exact(amount).partition(".")
    return f"{whole}.{rest:0<2}"


def _time(at: int) -> str:
    return timestamp(datetime.fromtimestamp(at, UTC))
