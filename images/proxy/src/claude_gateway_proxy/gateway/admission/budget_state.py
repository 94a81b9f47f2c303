"""The state of a caller's budget, in the words and headers that clients know.

The ``anthropic-ratelimit-unified-*`` headers are those of Anthropic's protocol for gateways: Claude Code warns above
75 and 95 percent, and shows the message of a rejection as it is, but only without ``representative-claim`` and
``overage-status``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from claude_gateway.contract.budget import Budget, Period, Window
from claude_gateway.contract.money import dollars
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.costs import usage
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_runtime.asgi import Headers

PREFIX: Final = b"anthropic-ratelimit-"
_UNIFIED: Final = PREFIX + b"unified-"
_PERIODS: Final = {Period.DAY: b"daily", Period.WEEK: b"weekly", Period.MONTH: b"monthly"}
"""Claude Code's names of windows; it has no name for an hour."""
_THRESHOLDS: Final = (95, 75)
_MOST: Final = 99
"""The highest percentage that is shown while requests are still served."""


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What was spent of a budget in a window, or of one person's part of it (``personal``); in nanodollars."""

    budget: Budget
    window: Window
    spent: int
    limit: int
    personal: bool = False

    @property
    def percent(self) -> int:
        """The part of the limit that is spent, in whole percent, rounded down."""
        return self.spent * 100 // self.limit

    def reported(self) -> usage.BudgetUsage:
        """Return the state as a report of a caller's usage shows it."""
        name = f"{self.budget.name} (your part)" if self.personal else self.budget.name
        return usage.BudgetUsage(name, str(self.budget.period), self.limit, self.spent, self.window.ends_at)


def headers(states: Iterable[BudgetState]) -> Headers:
    """Return the response headers: those of the budget that is closest to its limit."""
    fullest = max(states, key=lambda each: (each.percent, each.window.ends_at), default=None)
    if fullest is None:
        return ()
    percent, reset = min(fullest.percent, _MOST), b"%d" % fullest.window.ends_at
    passed = next((threshold for threshold in _THRESHOLDS if percent >= threshold), None)
    status = b"allowed" if passed is None else b"allowed_warning"
    found = [
        (_UNIFIED + b"status", status),
        (_UNIFIED + b"representative-claim", b"overage"),
        (_UNIFIED + b"overage-status", status),
        (_UNIFIED + b"overage-utilization", b"0.%02d" % percent),
        (_UNIFIED + b"reset", reset),
        (_UNIFIED + b"overage-reset", reset),
    ]
    if passed is not None:
        found.append((_UNIFIED + b"overage-surpassed-threshold", b"0.%d" % passed))
    return found


def spent(state: BudgetState, *, unified: bool, now: float) -> Failure:
    """Return the failure of a request whose budget is spent; ``unified``: with the headers for Claude Code."""
    budget, window = state.budget, state.window
    name = budget.name.rpartition("/")[2]
    whose = f"your part of the budget '{name}'" if state.personal else f"the budget '{name}'"
    amount = f"{dollars(state.limit)} per {budget.period.lower()}"
    contact = f" · {budget.contact}" if budget.contact else ""
    message = f"{whose} is spent ({amount}) · resets {_day(window.ends_at)}{contact}"
    left = int(window.ends_at - now) + 1
    return errors.budget_spent(message, retry_after=left, more=_rejected(state) if unified else ())


def too_large(state: BudgetState, cost: int) -> Failure:
    """Return the failure of a batch that may cost more, in nanodollars, than a budget has left."""
    name = state.budget.name.rpartition("/")[2]
    left = dollars(state.limit - state.spent)
    message = f"this batch may cost {dollars(cost)}, and the budget '{name}' has {left} left: create a smaller one"
    return errors.batch_too_expensive(message)


def busy(state: BudgetState, *, seconds: int) -> Failure:
    """Return the failure of a request that finds the rest of a budget reserved by requests here or on other pods."""
    name = state.budget.name.rpartition("/")[2]
    return errors.rate_limited(f"the rest of the budget '{name}' is reserved by requests that are running", seconds)


def _rejected(state: BudgetState) -> Headers:
    reset = b"%d" % state.window.ends_at
    found = [
        (_UNIFIED + b"status", b"rejected"),
        (_UNIFIED + b"reset", reset),
        (_UNIFIED + b"overage-reset", reset),
        (_UNIFIED + b"overage-utilization", b"1"),
        (_UNIFIED + b"overage-surpassed-threshold", b"1"),
        (_UNIFIED + b"overage-disabled-reason", b"org_spend_cap_reached"),
    ]
    period = _PERIODS.get(state.budget.period)
    if period is not None:
        found.append((_UNIFIED + b"overage-period", period))
    if not state.personal:
        found.append((_UNIFIED + b"overage-scope", b"group_pool"))
    return found


def _day(at: int) -> str:
    found = datetime.fromtimestamp(at, UTC)
    return f"{found:%b} {found.day}, {found:%H:%M} UTC"
