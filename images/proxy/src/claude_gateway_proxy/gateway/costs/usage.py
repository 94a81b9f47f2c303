"""What each caller used, by hour and model, for 31 days: the memory of one process, which ``GET /v1/usage`` reads."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from claude_gateway.contract.spent import Sum
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.telemetry.bounded import Bounded
from claude_gateway_proxy.gateway.telemetry.record import Record

HOUR: Final = 3600
KEPT: Final = 31 * 24 * HOUR
"""Seconds that sums are kept."""
_MOST: Final = 100_000
"""The most sums that are kept, of all callers together; beyond that, the newest."""
MODELS: Final = 500
"""The most models that are counted separately; all others are counted together."""


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """What is used of one budget of a caller; amounts in nanodollars, ``ends_at`` in Unix seconds."""

    budget: str
    period: str
    amount: int
    spent: int
    ends_at: int


BudgetsOf = Callable[[Principal], Sequence[BudgetUsage]]
"""Returns the usage of every budget that covers a caller."""


def no_budgets(_: Principal) -> Sequence[BudgetUsage]:
    """Return nothing, because this gateway has no budgets."""
    return ()


def sum_of(record: Record) -> Sum:
    """Return the sum of one request."""
    return Sum(
        requests=1,
        cost=record.cost,
        estimated=0 if record.cost_certain else record.cost,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_creation_tokens=record.cache_creation_tokens,
    )


_Cell = tuple[int, str]
"""The hour, in Unix seconds, and the model."""

Row = tuple[int, str, Sum]
"""The Unix time at which an hour or a day began, the model, and what was used in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a caller used: at the ``pod`` that answers, or at all pods of the ``release``.

    Everything from ``since`` on, in Unix seconds, is in ``rows``.
    """

    scope: Literal["pod", "release"]
    since: int
    rows: Sequence[Row]


Find = Callable[[str, str], Awaitable[Found]]
"""Returns what a person of a client used; without a user, the whole client."""


class Used:
    """The memory of one process; ``clock`` returns Unix time."""

    def __init__(self, clock: Callable[[], float], *, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._since = int(clock())
        self._models = Bounded(MODELS)
        self._callers: dict[tuple[str, str], dict[_Cell, Sum]] = {}
        self._order: deque[tuple[tuple[str, str], _Cell]] = deque()

    @property
    def since(self) -> int:
        """The Unix time from which on everything is known."""
        return max(self._since, int(self._clock()) - KEPT)

    def note(self, record: Record) -> None:
        """Record a request at its end, if it reached a target."""
        if not record.billed_model:
            return
        caller = (record.client, record.user)
        now = int(self._clock())
        cell = (now - now % HOUR, self._models.of(record.billed_model))
        cells = self._callers.setdefault(caller, {})
        found = cells.get(cell)
        if found is None:
            found = cells[cell] = Sum()
            self._order.append((caller, cell))
            self._forget(now)
        found.add(sum_of(record))

    async def find(self, client: str, user: str) -> Found:
        """Return what a person of a client used at this pod; without a user, the whole client."""
        return Found("pod", self.since, list(self.of(client, user)))

    def of(self, client: str, user: str = "") -> Iterator[Row]:
        """Yield the hour, the model and the sum of a person's requests; without a user, those of the whole client."""
        for (its_client, its_user), cells in self._callers.items():
            if its_client == client and user in ("", its_user):
                for (hour, model), found in cells.items():
                    yield hour, model, found

    def _forget(self, now: int) -> None:
        while self._order and (len(self._order) > self._most or self._order[0][1][0] < now - KEPT - HOUR):
            caller, cell = self._order.popleft()
            if len(self._order) >= self._most:
                self._since = max(self._since, cell[0] + HOUR)
            cells = self._callers[caller]
            del cells[cell]
            if not cells:
                del self._callers[caller]
