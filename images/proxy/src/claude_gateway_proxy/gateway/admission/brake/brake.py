"""Stops runaway sessions and agents: first softly at a limit, and then hard until they are released.

A soft stop is one answer, which the user sees: the loop of an agent ends, and the user's next message continues the
session. It is repeated until the conversation has changed, because some clients retry by themselves. A limit of the
session stops its agents too, until the main conversation was stopped: a sentence in an agent's result may go unread.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_gateway.contract.brake import Brake as Limits
from claude_gateway.contract.brake import BrakeLimits
from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.admission.admission import Usage, Watch
from claude_gateway_proxy.gateway.admission.brake import turns
from claude_gateway_proxy.gateway.admission.brake.line import Line
from claude_gateway_proxy.gateway.admission.brake.session import Session, Sessions, Stop, Used
from claude_gateway_proxy.gateway.admission.brake.words import Stopped, Unit
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import session_stopped
from claude_gateway_proxy.gateway.routing.affinity import session_of
from claude_gateway_proxy.gateway.telemetry.record import BrakedBy
from claude_gateway_proxy.operations import OPERATIONS

_NO_TOOLS: Final = 2
"""The size in bytes of an empty list of tools."""
_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A request that was admitted: the accounts that are charged for it, and when it began."""

    accounts: tuple[Used, ...]
    began: float


@dataclass(frozen=True, slots=True)
class _Measure:
    """One measured value, and its soft and hard limits."""

    unit: Unit
    used: int
    soft: int
    hard: int


class Brake:
    """Tracks the sessions of all clients that have a brake; created once at start."""

    def __init__(self, clock: Callable[[], float], *, sessions: Sessions | None = None) -> None:
        """``clock`` returns monotonic seconds."""
        self._clock = clock
        self._sessions = Sessions() if sessions is None else sessions

    def enter(self, principal: Principal, facts: Facts, format_: Format) -> Seat | Stopped | None:
        """Admit a request, or return what stops it; None without a brake of the client or a session of the request."""
        limits = principal.client.brake
        ident = "" if limits is None else session_of(facts)
        if limits is None or not ident:
            return None
        session = self._sessions.of(principal.client.name, principal.user, ident)
        _release_listed(session, listed=ident in limits.released)
        now, agent = self._clock(), facts.agent.agent_id
        text = turns.conversation(facts.body, format_)
        line = session.line(agent, turns.start_of(text))
        line.read(text, now=now)
        accounts = (session.used, session.agent(agent)) if agent else (session.used,)
        self._sessions.weigh(principal.client.name, session)
        for account in accounts:
            account.begin(now)
        span = facts.body.members.get("tools")
        tools = span is not None and span[1] - span[0] > _NO_TOOLS
        session.tools = session.tools or (tools and not agent)
        stopped = _stopped(line, accounts=accounts, limits=limits, visible=not agent and tools == session.tools)
        if stopped is not None:
            return stopped.of(ident)
        return Seat(accounts, now)

    def charges(self, call: Call) -> Sequence[Watch]:
        """Admit a request, and count its cost at its end. Raises Failure (429) for one that is stopped.

        The gateway's own requests (``call.origin``), and requests that generate nothing, are neither stopped nor
        counted.
        """
        if call.origin is not None or call.client.brake is None or not OPERATIONS[call.format].generates:
            return ()
        if call.batch is not None and not call.batch.generates:
            return ()
        found = self.enter(call.principal, call.facts, call.format)
        if isinstance(found, Stopped):
            call.record.braked = BrakedBy(found.limit_name, "soft" if found.soft else "hard")
            raise session_stopped(found.message)
        requests = 1 if call.batch is None else call.batch.requests
        return () if found is None else (Watch(partial(self._ended, found, requests)),)

    def _ended(self, seat: Seat, requests: int, usage: Usage) -> None:
        # A client that retries while its upstream is overloaded is not a runaway.
        self.leave(seat, usage.cost, requests=requests if usage.answered else 0)

    def leave(self, seat: Seat, dollars: int, *, requests: int = 1) -> None:
        """Charge what a request cost, in nanodollars; a batch has several ``requests``."""
        now = self._clock()
        for account in seat.accounts:
            account.end(dollars, began=seat.began, now=now, requests=requests)

    def release(self, principal: Principal, ident: str) -> bool:
        """Release one of the caller's sessions; return whether it is known."""
        session = self._sessions.find(principal.client.name, principal.user, ident)
        if session is not None:
            session.release()
        return session is not None


def _release_listed(session: Session, *, listed: bool) -> None:
    if listed and not session.released:
        session.release()
    session.released = listed


def _stopped(line: Line, *, accounts: tuple[Used, ...], limits: Limits, visible: bool) -> Stopped | None:
    """What stops a request. ``visible``: the user would see the stop in the main conversation."""
    if line.stop is not None:
        return line.stop
    scopes = (("session", limits.session), ("agent", limits.agent))
    for account, (scope, bounds) in zip(accounts, scopes, strict=False):
        own = account is accounts[-1]
        measures = list(_measures(account, line if own else None, bounds=bounds, percent=limits.hard_percent))
        hard = _hard(account, measures, scope=scope)
        if hard is not None:
            return hard
        for measure in measures:
            warned = line.warned if measure.unit.pattern else account.warned
            if not 0 < measure.soft <= measure.used or measure.unit in warned:
                continue
            found = Stopped(
                scope, measure.unit, used=measure.used, limit=measure.soft, hard=measure.hard, tool=line.tool
            )
            if own and (visible or scope == "agent" or measure.unit.pattern):
                warned.add(measure.unit)
                line.halt(found)
            return found
    return None


def _hard(account: Used, measures: list[_Measure], *, scope: str) -> Stopped | None:
    """The hard stop of an account: its current one, unless the limit was raised since, or a new one."""
    for measure in measures:
        used = measure.used
        if account.stop is not None and account.stop.limit == measure.unit:
            used = max(used, account.stop.used)
        if 0 < measure.hard <= used:
            account.stop = Stop(scope, measure.unit, used)
            return Stopped(scope, measure.unit, used=used, limit=measure.hard)
    account.stop = None
    return None


def _measures(account: Used, line: Line | None, *, bounds: BrakeLimits, percent: int) -> Iterator[_Measure]:
    """The values of an account, and those of the line of conversation if it belongs to the account."""
    repeated, growing = (0, 0) if line is None else (line.repeated, line.growing)
    found = (
        (Unit.DOLLARS, account.dollars, bounds.dollars),
        (Unit.REQUESTS, account.requests, bounds.requests),
        (Unit.MINUTES, int(account.seconds / _MINUTE), bounds.minutes),
        (Unit.REPEATED, repeated, bounds.repeated_tool_calls),
        (Unit.GROWING, growing, bounds.growing_turns),
    )
    for unit, used, limit in found:
        hard = limit * percent // 100
        yield _Measure(unit, used=used, soft=limit if limit < hard else 0, hard=hard)
