"""Admits requests before they are sent, and settles what they used when they end."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

import msgspec

from claude_gateway.contract.client import Priority
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.admission.counters.counters import Counters, Refused, Taken, UnavailableError
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.demand import Demand, Substitute
from claude_gateway_proxy.gateway.admission.queue import Patience, Queue
from claude_gateway_proxy.gateway.body.models import further_models
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure, counters_unavailable, further_model_not_allowed
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_runtime.asgi import Headers


class Usage(msgspec.Struct, frozen=True):
    """What one request used; all 0 if nothing was sent or nothing was reported.

    The tokens are those of ``gateway.wire.usage``: input, output, cache reads and cache creation are disjoint, those of
    an hour are part of the creation, and reasoning is part of the output. ``cost`` is in nanodollars; ``certain`` is
    False where it comes from an estimate. ``answered``: a model began to answer, even if its upstream reported no
    tokens.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_creation_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0
    cost: int = 0
    certain: bool = True
    answered: bool = False

    @classmethod
    def of(cls, record: Record) -> "Usage":
        """Return the usage that a record has at the end of its request."""
        return cls(
            input_tokens=record.input_tokens,
            output_tokens=record.output_tokens,
            cache_read_tokens=record.cache_read_tokens,
            cache_creation_tokens=record.cache_creation_tokens,
            cache_creation_1h_tokens=record.cache_creation_1h_tokens,
            reasoning_tokens=record.reasoning_tokens,
            web_searches=record.web_searches,
            cost=record.cost,
            certain=record.cost_certain,
            answered=record.first_byte is not None,
        )


def _nothing(_: int) -> Headers:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One demand of a request, with the callbacks of whoever makes it.

    ``refusal`` words the error for a client that is refused, ``actual`` returns what the request used in the demand's
    units, and ``headers`` what the answer says, given what counted before the request (``Taken.before``).
    ``substitute`` is the model that serves a request for which there is no room: then ``overdrawn`` is taken in place
    of the demand. ``alone`` is demanded of this process's own counters while the shared ones cannot be reached, None:
    nothing; ``required``: the request is rejected then. ``label`` names the kind of limit in metrics, from a fixed
    list.
    """

    demand: Demand
    refusal: Callable[[Refused], Failure]
    actual: Callable[[Usage], int]
    label: str = ""
    headers: Callable[[int], Headers] = _nothing
    substitute: Substitute | None = None
    overdrawn: Demand | None = None
    alone: Demand | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Demands nothing; it is called once with the usage of a request, when that ends."""

    ended: Callable[[Usage], None]


class Part(Protocol):
    """One reason to reject requests or to make them wait; created once at start.

    The demands of one request have different keys. Those of callers come before those of routes: a request waits for
    them in this order.
    """

    def charges(self, call: Call, /) -> Sequence[Charge | Watch]:
        """Return what a request must take, if anything. Raises Failure for a request that must not be sent."""


class Targets(Protocol):
    """The demands of targets on the requests that are sent to them."""

    def charges_of(self, target: Target, call: Call, /, *, waits: bool) -> Sequence[Charge]:
        """Return what a request must take of a target; ``waits``: it may queue for it."""


class Grant:
    """The permission to send one request. Its holder must settle it, however the request ends.

    ``headers`` are sent with the answer. ``substitute`` is the name of a model that serves in its place.
    """

    __slots__ = ()
    headers: Headers = ()
    substitute: Substitute | None = None

    def settle(self, usage: Usage) -> None:
        """Take what the request used; only the first call counts."""


Settle = Callable[[Sequence[Demand], Sequence[int], str], None]


class _Charged(Grant):
    """The grant of a request that took something, or whose usage is watched."""

    __slots__ = ("_charges", "_holder", "_settle", "_watches", "headers", "substitute")

    def __init__(self, taken: "_Result", watches: Sequence[Watch], *, holder: str, settle: Settle) -> None:
        self.headers = taken.headers
        self.substitute = taken.substitute
        self._charges, self._watches = taken.charges, watches
        self._holder = holder
        self._settle = settle

    def settle(self, usage: Usage) -> None:
        """Replace what was taken by what was used, once."""
        charges, watches = self._charges, self._watches
        self._charges = self._watches = ()
        if charges:
            demands = [charge.demand for charge in charges]
            self._settle(demands, [charge.actual(usage) for charge in charges], self._holder)
        for watch in watches:
            watch.ended(usage)


@dataclass(frozen=True, slots=True)
class _Result:
    """What was taken for a request."""

    charges: Sequence[Charge] = ()
    headers: Headers = ()
    substitute: Substitute | None = None


_FREE: Final = Grant()
_ANY: Final = "*"
"""The pattern of a client that may name every model."""


def check_further_models(call: Call) -> None:
    """Check each further model that a request names against the client's list. Raises Failure (400)."""
    if _ANY in call.client.models:
        return
    for field, model in further_models(call.body):
        if not call.snapshot.routing.allowed(call.client, model):
            raise further_model_not_allowed(field, model)


class Admission:
    """Admits requests; created once at start."""

    def __init__(
        self,
        parts: Sequence[Part] = (),
        *,
        targets: Targets | None = None,
        counters: Counters | None = None,
        alone: MemoryCounters | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Collect the demands of ``parts``, in this order, and those of ``targets``.

        ``alone`` are this process's own counters; they are the only ones if there are no ``counters``.
        """
        self._parts = tuple(parts)
        self._targets = targets
        self._alone = MemoryCounters() if alone is None else alone
        self._queue = Queue(self._alone if counters is None else counters, patience or Patience())
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count()

    @property
    def waiting(self) -> int:
        """How many requests wait for a limit."""
        return len(self._queue)

    async def admit(self, call: Call) -> Grant:
        """Return the permission to send a request, at once unless a limit makes it wait.

        Every further model that the request names must be on the client's list, unless the request is the gateway's own
        (``call.origin``): the owner of the route chose that model. Raises Failure for a request that must not be sent;
        then there is nothing to settle.
        """
        if call.origin is None:
            check_further_models(call)
        found = [each for part in self._parts for each in part.charges(call)]
        return await self._granted(call, found) if found else _FREE

    async def enter(self, call: Call, target: Target, *, waits: bool) -> Grant | None:
        """Return the permission to send an admitted request to a target; None if the target has no room.

        ``waits``: it waits for room. Raises Failure if there is none after all.
        """
        if self._targets is None or target.limits is None:
            return _FREE
        try:
            return await self._granted(call, self._targets.charges_of(target, call, waits=waits))
        except Failure:
            if waits or not call.record.limited:
                raise
            call.record.limited = ""
            return None

    async def _granted(self, call: Call, found: Sequence[Charge | Watch]) -> Grant:
        holder = f"{self._process}-{next(self._numbers)}"
        charges = tuple(each for each in found if isinstance(each, Charge))
        watches = tuple(each for each in found if isinstance(each, Watch))
        try:
            taken = await self._take(call, charges, holder=holder)
        except UnavailableError:
            taken = await self._take_alone(call, charges, holder=holder)
            return _Charged(taken, watches, holder=holder, settle=self._settle_alone)
        return _Charged(taken, watches, holder=holder, settle=self._settle)

    async def _take(self, call: Call, charges: tuple[Charge, ...], *, holder: str) -> _Result:
        """Take all demands. Raises Failure without room, UnavailableError if the counters cannot be reached."""
        substitute: Substitute | None = None
        while charges:
            result = await self._queue.take(
                [charge.demand for charge in charges],
                holder=holder,
                client=call.client.name,
                batch=call.client.priority is Priority.BATCH,
                waited=partial(_note_wait, call.record),
            )
            if isinstance(result, Taken):
                return _result(charges, result, substitute=substitute)
            charges, substitute = _overdrawn(call, charges, result)
        return _Result()

    async def _take_alone(self, call: Call, charges: Sequence[Charge], *, holder: str) -> _Result:
        """Take the demands from this process's own counters. Raises Failure without room, or if it must not."""
        if any(charge.required for charge in charges):
            raise counters_unavailable()
        left = tuple(replace(charge, demand=charge.alone) for charge in charges if charge.alone is not None)
        substitute: Substitute | None = None
        while left:
            result = await self._alone.take([charge.demand for charge in left], holder=holder)
            if isinstance(result, Taken):
                return _result(left, result, substitute=substitute)
            left, substitute = _overdrawn(call, left, result)
        return _Result()

    def _settle(self, demands: Sequence[Demand], actual: Sequence[int], holder: str) -> None:
        self._queue.settle(demands, actual, holder=holder)

    def _settle_alone(self, demands: Sequence[Demand], actual: Sequence[int], holder: str) -> None:
        self._alone.settle(demands, actual, holder=holder)


def _result(charges: Sequence[Charge], taken: Taken, *, substitute: Substitute | None) -> _Result:
    pairs = zip(charges, taken.before, strict=True)
    headers = tuple(header for charge, before in pairs for header in charge.headers(before))
    return _Result(charges, headers, substitute)


def _overdrawn(call: Call, charges: Sequence[Charge], refused: Refused) -> tuple[tuple[Charge, ...], Substitute]:
    """Return the charges of a request that another model serves. Raises Failure if no model does."""
    charge = charges[refused.index]
    if charge.substitute is None or charge.overdrawn is None:
        call.record.limited = charge.label
        raise charge.refusal(refused)
    other = replace(charge, demand=charge.overdrawn, substitute=None)
    return (*charges[: refused.index], other, *charges[refused.index + 1 :]), charge.substitute


def _note_wait(record: Record, seconds: float) -> None:
    record.queued += seconds
