"""The metrics of cost: what requests cost, by caller and purpose, and what prompt caches saved."""

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from claude_gateway import metric_names
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway_proxy.gateway.telemetry.bounded import Bounded
from claude_gateway_proxy.gateway.telemetry.caches import PromptCaches
from claude_gateway_proxy.gateway.telemetry.record import Record

MODELS: Final = 200
"""The most models that clients name themselves, at targets that pass names through; more are counted as one."""
AGENT_TYPES: Final = 40
"""Claude Code names its built-in agents, and calls all others ``custom``."""


class Child(Protocol):
    """A counter with its labels."""

    def inc(self, amount: float = 1) -> None: ...


class Family(Protocol):
    """A metric, by the values of its labels."""

    def of(self, *values: str) -> Child: ...


_Family = TypeVar("_Family", bound=Family)


class Spend(Generic[_Family]):
    """Counts cost; created once per process."""

    def __init__(self, counter: Callable[..., _Family]) -> None:
        """Define the metrics with ``counter(name, text, *labels)``."""
        self._cost = counter(
            metric_names.COST,
            "Dollars that requests cost at list price or the route's own",
            *("client", "route", "provider", "model"),
        )
        self._estimated = counter(
            metric_names.COST_ESTIMATED,
            "Requests whose cost is an estimate, because no price is known, or the answer broke off or had no counts",
            *("client", "route"),
        )
        self._agents = counter(
            metric_names.AGENT_COST,
            "Dollars that requests of Claude Code cost, by the type of the agent and what the request was for",
            *("client", "agent_type", "request_class"),
        )
        self._saved = counter(
            metric_names.CACHE_SAVED, "Dollars that reading from prompt caches saved", "client", "route"
        )
        self._extra = counter(
            metric_names.CACHE_EXTRA, "Dollars that writing to prompt caches cost on top of input", "client", "route"
        )
        self._breaks = counter(
            metric_names.CACHE_BREAKS,
            "Requests that continued a conversation and read less than half of its cached tokens from the prompt cache",
            *("client", "route"),
        )
        self.counters: Final = (self._cost, self._estimated, self._agents, self._saved, self._extra, self._breaks)
        self._models = Bounded(MODELS)
        self._types = Bounded(AGENT_TYPES)
        self._caches = PromptCaches()

    def finished(self, record: Record, *, now: float) -> None:
        """Count one request at its end, a mirror's copies excepted; ``now`` is on the record's clock."""
        if not record.billed_model:
            return
        client, route = record.client, record.route
        if record.cost:
            dollars = record.cost / NANODOLLARS
            self._cost.of(client, route, record.provider, self._models.of(record.billed_model)).inc(dollars)
            if record.session:
                self._agents.of(client, self._types.of(record.agent_type), record.request_class).inc(dollars)
        if not record.cost_certain:
            self._estimated.of(client, route).inc()
        if record.saved:
            self._saved.of(client, route).inc(record.saved / NANODOLLARS)
        if record.extra:
            self._extra.of(client, route).inc(record.extra / NANODOLLARS)
        if self._caches.broke(record, now=now):
            self._breaks.of(client, route).inc()
