"""The limits of clients, routes and targets, as demands on requests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from claude_gateway.contract.limits import Limits
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.admission.admission import Charge, Usage
from claude_gateway_proxy.gateway.admission.counters.counters import Refused
from claude_gateway_proxy.gateway.admission.demand import Bucket, Demand, Slots
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure, rate_limited


def _one() -> int:
    return 1


@dataclass(frozen=True, slots=True)
class _Limited:
    """An object with limits: its kind, its ``name`` in counter keys, and its ``title`` for messages."""

    kind: str
    name: str
    title: str


class RateLimits:
    """Makes the demands of the limits of a request's client, route and target."""

    def __init__(self, *, pods: Callable[[], int] = _one, required: bool = False) -> None:
        """Divide each limit by ``pods()``, the number of processes that count separately; 1 if they count together.

        ``required``: while the shared counters cannot be reached, requests with limits are rejected.
        """
        self._pods = pods
        self._required = required

    def charges(self, call: Call, /) -> Sequence[Charge]:
        """Return what a request must take of its client's and its route's limits."""
        client, route = call.client, call.route
        if client.limits is None and route.limits is None:
            return ()
        of_client = _Limited("client", client.name, f"the client '{client.name}'")
        of_route = _Limited("route", route.name, f"the route '{route.name}'")
        return (
            *self._charges(call, client.limits, of_client, own=call.origin is not None),
            *self._charges(call, route.limits, of_route),
        )

    def charges_of(self, target: Target, call: Call, *, waits: bool) -> Sequence[Charge]:
        """Return what a request must take of a target's limits; ``waits``: it may queue for them."""
        # Without its hash, so that an edit of the target does not empty its counters.
        of_target = _Limited("target", target.id.rpartition(".")[0], f"a target of the route '{call.route.name}'")
        return tuple(self._charges(call, target.limits, of_target, waits=waits))

    def _charges(
        self, call: Call, limits: Limits | None, limited: _Limited, *, own: bool = False, waits: bool = True
    ) -> Iterator[Charge]:
        """Yield the charges of one object. ``own``: it is the gateway's request; the client pays only its tokens."""
        if limits is None:
            return
        if limits.requests_per_minute is not None and not own:
            most = limits.requests_per_minute
            units = 1 if call.batch is None else call.batch.requests
            yield self._rate(limited, "requests", most=most, units=units, actual=_Requests(units), waits=waits)
        if call.uses_tokens:
            if limits.input_tokens_per_minute is not None:
                # It is corrected when the request ends, so a cheap estimate is enough.
                units = call.facts.rough_tokens if call.batch is None else call.batch.input_tokens
                most = limits.input_tokens_per_minute
                actual = _InputTokens(units)
                yield self._rate(limited, "input_tokens", most=most, units=units, actual=actual, waits=waits)
            if limits.output_tokens_per_minute is not None:
                units, most = 1 if call.batch is None else call.batch.output_tokens, limits.output_tokens_per_minute
                yield self._rate(limited, "output_tokens", most=most, units=units, actual=_output_tokens, waits=waits)
        # The gateway's own requests help to answer a request that already has a slot: they must not wait for it.
        if limits.concurrent is not None and call.origin is None:
            demand = Slots(f"{limited.kind}:{limited.name}:concurrent", self._share(limits.concurrent), waits=waits)
            text = f"may have {_counted(limits.concurrent, 'requests')} in flight at one time"
            yield self._charge(demand, limited, "concurrent", text=text, actual=_nothing)

    def _rate(
        self, limited: _Limited, kind: str, *, most: int, units: int, actual: Callable[[Usage], int], waits: bool
    ) -> Charge:
        share = self._share(most)
        demand = Bucket(f"{limited.kind}:{limited.name}:{kind}", share, burst=share, units=units, waits=waits)
        text = f"may use {_counted(most, kind.replace('_', ' '))} per minute"
        return self._charge(demand, limited, kind, text=text, actual=actual)

    def _charge(
        self, demand: Demand, limited: _Limited, kind: str, *, text: str, actual: Callable[[Usage], int]
    ) -> Charge:
        def refusal(refused: Refused) -> Failure:
            return rate_limited(f"{limited.title} {text}", refused.retry_after)

        label = f"{limited.kind}_{kind}"
        return Charge(demand=demand, label=label, refusal=refusal, actual=actual, required=self._required)

    def _share(self, limit: int) -> int:
        return -(-limit // max(1, self._pods()))


@dataclass(frozen=True, slots=True)
class _Requests:
    """Return how many requests were made: one, or those of a batch."""

    number: int

    def __call__(self, _: Usage) -> int:
        return self.number


@dataclass(frozen=True, slots=True)
class _InputTokens:
    """Return the input tokens that a request used: those reported, otherwise the estimate."""

    estimated: int

    def __call__(self, usage: Usage) -> int:
        used = usage.input_tokens + usage.cache_creation_tokens
        if used or usage.cache_read_tokens:
            return used
        return self.estimated if usage.answered else 0


def _counted(number: int, nouns: str) -> str:
    return f"{number} {nouns.removesuffix('s') if number == 1 else nouns}"


def _output_tokens(usage: Usage) -> int:
    return usage.output_tokens


def _nothing(_: Usage) -> int:
    return 0
