"""What this process knows about its targets from earlier requests, updated by each new one."""

import random
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final

from claude_gateway.contract.report import EjectedTarget
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.routing.budget import RetryBudget
from claude_gateway_proxy.gateway.routing.choice import Choice, Routed, choose
from claude_gateway_proxy.gateway.routing.health import EVERY_MODEL, Ejection, Health
from claude_gateway_proxy.gateway.routing.loads import Loads
from claude_gateway_proxy.gateway.routing.moves import Moves

LONG_SECONDS: Final = 60.0
"""A shorter ejection is not reported to the operator."""

_REPORTED: Final = 256
_NOTHING: Final = nullcontext()


class _Try:
    """Counts one request as in flight from its making to the end of the context."""

    __slots__ = ("_loads", "_target")

    def __init__(self, loads: Loads, target: str) -> None:
        self._loads = loads
        self._target = target
        loads.enter(target)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loads.leave(self._target)


class Ledger:
    """The memory of one process; ``clock`` returns monotonic seconds, ``unix`` Unix time.

    For a request with one candidate, only failures and answers are recorded: there is nothing to choose.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, unix: Callable[[], float] = time.time) -> None:
        self._clock, self._unix = clock, unix
        self.health = Health(clock)
        self._loads = Loads()
        self._moves = Moves(clock)
        self._budget = RetryBudget(clock)

    def choose(self, request: Routed) -> Choice:
        """Choose among the targets of a request's route. Raises Failure where none can answer."""
        health, asked = self.health, request.asked
        return choose(
            request,
            random=random.random,
            well=lambda target: health.well(target, asked),
            load=self._loads.of,
            moved=self._moves.target_of,
        )

    def requested(self, choice: Choice) -> None:
        """Record that a request begins."""
        if len(choice.candidates) > 1:
            self._budget.requested(choice.route.name)

    def trying(self, choice: Choice, target: Target, asked: str) -> AbstractContextManager[None]:
        """Record that a request is sent to a target, until the context ends."""
        if len(choice.candidates) == 1:
            return _NOTHING
        self.health.tried(target.id, asked)
        return _Try(self._loads, target.id)

    def answered(self, choice: Choice, target: Target, asked: str) -> None:
        """Record that a target began to answer."""
        self.health.answered(target.id, model_of(target, asked))
        if choice.session is not None:
            name = choice.called[target.id]
            self._moves.answered(choice.session, name, moved=name == choice.moves_to)

    def ejected(self) -> tuple[EjectedTarget, ...]:
        """Return the targets that are ejected now."""
        return self._reported(self.health.ejections())

    def ejected_for_long(self) -> tuple[EjectedTarget, ...]:
        """Return the targets that have not answered for a minute, or stay ejected for one, the oldest first.

        A target whose ejection is over, but that was not tried yet, is included for another minute, because every
        change is written to the API server.
        """
        found = [each for each in self.health.ejections(LONG_SECONDS) if each.until - each.since >= LONG_SECONDS]
        return self._reported(sorted(found, key=lambda each: each.since)[:_REPORTED])

    def _reported(self, ejections: Iterable[Ejection]) -> tuple[EjectedTarget, ...]:
        shift = self._unix() - self._clock()
        return tuple(
            EjectedTarget(
                target=each.target,
                model=each.model,
                reason=each.reason,
                since=each.since + shift,
                until=each.until + shift,
            )
            for each in ejections
        )

    def may_try_another(self, choice: Choice) -> bool:
        """Return whether a failed request may go to its next candidate, and count that it does."""
        return self._budget.take(choice.route.name)


def model_of(target: Target, asked: str) -> str:
    """Return the model that a failure of a target is about."""
    return asked if target.model == "*" else EVERY_MODEL
