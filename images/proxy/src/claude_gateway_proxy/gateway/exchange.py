"""From a routed request to its answer: try the candidates in turn, each on its lane, and respond.

Another candidate is tried only while nothing was sent to the client, and only after a failure that another target may
not have: no connection, no first byte in time, the gateway's credential rejected, 408, 429, 5xx. The route's retry
budget limits how often. A request that is too long for a target is tried at those with larger windows, whatever is left
of the budget, which is for outages.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final

from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.admission.admission import Admission, Grant, Usage
from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.attempts.attempt import begin
from claude_gateway_proxy.gateway.attempts.failed import AttemptFailed
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.costs.cost import Passed, charge, describe
from claude_gateway_proxy.gateway.deadline import Cause, Deadline, Ended
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.lanes.lane import Lane
from claude_gateway_proxy.gateway.naming import named
from claude_gateway_proxy.gateway.respond import respond_answer, respond_error, respond_estimate
from claude_gateway_proxy.gateway.routing.choice import Candidate, Choice
from claude_gateway_proxy.gateway.routing.health import EVERY_MODEL
from claude_gateway_proxy.gateway.routing.ledger import Ledger, model_of
from claude_gateway_proxy.gateway.safeguards.guard import guard
from claude_gateway_proxy.gateway.substitute import served_by
from claude_gateway_proxy.gateway.telemetry.credentials import Credentials
from claude_gateway_proxy.gateway.telemetry.failures import Failures
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, Record, UpstreamError
from claude_gateway_proxy.gateway.turns import Turns
from claude_gateway_proxy.gateway.upstream.pool import UpstreamPool
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.usage.usage import UsageEvents
from claude_gateway_proxy.unreachable import Obstacle
from claude_gateway_runtime.asgi import Headers, Receive, Send

Choose = Callable[[Call, Ledger], Choice]
"""Returns a call's candidates, in the order in which they are tried. Raises Failure if none can answer."""

_OF_ALL_MODELS: Final = frozenset(
    {UpstreamError.CONNECT, UpstreamError.ADDRESS, UpstreamError.REDIRECT, UpstreamError.CREDENTIAL}
)
"""Failures that do not depend on the requested model."""


def by_ledger(call: Call, ledger: Ledger) -> Choice:
    """Choose by what this process knows about the targets."""
    return ledger.choose(call)


class Exchange:
    """Answers routed requests that are admitted. Has the lanes and the connections to upstreams; created once."""

    def __init__(
        self,
        lanes: Iterable[Lane],
        *,
        admission: Admission,
        ping_seconds: float,
        choose: Choose = by_ledger,
        events: UsageEvents | None = None,
    ) -> None:
        """Use these lanes, and close them at the end. Needs a running event loop.

        ``ping_seconds`` is the silence of a stream after which its client gets a ping, 0 for none. ``events`` records
        each request before any part of it is sent.
        """
        self._lanes: Final = {lane.name: lane for lane in lanes}
        self._choose = choose
        self._pool = UpstreamPool()
        self._ping_seconds = ping_seconds
        self._admission = admission
        self._events = events
        self.ledger: Final = Ledger()
        self.failures: Final = Failures(time.time)
        self.credentials: Final = Credentials(time.time)

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Admit a request, send the whole answer, and settle what it used; also for the gateway's own requests.

        Raises Failure only if nothing was sent. An answer that broke off, or whose client disconnected, returns without
        its end, so that the server closes the connection.
        """
        if self._events is not None:
            self._events.begin(call.record)
        deadline = Deadline(receive, total=call.route.timeouts.total)
        grant = Grant()
        try:
            # A client that disconnects while it waits for its turn leaves the queue.
            with deadline:
                grant = await self._admission.admit(call)
            call = call if grant.substitute is None else served_by(call, grant.substitute)
            await self._answer(call, deadline, send, more=grant.headers)
        except Ended as ended:
            _end_waiting(ended.cause, call.record)
        finally:
            deadline.stop()
            describe(call)
            grant.settle(Usage.of(call.record))

    async def _answer(self, call: Call, deadline: Deadline, send: Send, *, more: Headers) -> None:
        """Answer an admitted request; its answer gets ``more`` headers."""
        choice = self._choose(call, self.ledger)
        self.ledger.requested(choice)
        call.record.rule, call.record.why = choice.rule or "", choice.why.value
        upstreams = self._pool.lease(call.snapshot.egress)
        turns = Turns(call, choice.candidates)
        try:
            while (turn := turns.next()) is not None:
                candidate, waits = turn
                with deadline:
                    entered = await self._admission.enter(call, candidate.target, waits=waits)
                if entered is None:
                    continue
                turns.try_(candidate)
                _note_attempt(call.record, candidate, turns.tries)
                try:
                    with self.ledger.trying(choice, candidate.target, call.asked), deadline:
                        answered = await self._try(
                            call,
                            candidate,
                            choice=choice,
                            upstreams=upstreams,
                            send=send,
                            deadline=deadline,
                            turns=turns,
                            more=more,
                        )
                except Ended as ended:
                    _end(ended.cause, call, candidate.target)
                    return
                finally:
                    entered.settle(Usage.of(call.record))
                if answered:
                    return
            if turns.failed is not None:
                await _respond_failed(turns.failed, call=call, send=send, more=more)
        finally:
            self._pool.release(upstreams)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        for lane in self._lanes.values():
            await lane.close()

    async def _try(
        self,
        call: Call,
        candidate: Candidate,
        *,
        choice: Choice,
        upstreams: Upstreams,
        send: Send,
        deadline: Deadline,
        turns: Turns,
        more: Headers,
    ) -> bool:
        """Answer from one candidate; return False if it failed and another one is to be tried."""
        target, timeouts = candidate.target, call.route.timeouts
        lane = self._lanes[candidate.lane]
        deadline.silence(timeouts.first_token if call.body.stream else timeouts.total)
        try:
            answer = await self._begin(
                call, target, lane=lane, upstreams=upstreams, deadline=deadline, hold=not turns.last
            )
        except AttemptFailed as failed:
            self._note_failure(call, target, failed)
            if target.credential is not None and failed.verdict is not None:
                asked = call.format.value
                self.credentials.failed(target.credential, failed.verdict, asked=asked, answer=failed.said)
            turns.fail(target, failed)
            if not turns.last and (
                failed.too_long is not None or (failed.retry and self.ledger.may_try_another(choice))
            ):
                return False
            await _respond_failed(turns.failed or failed, call=call, send=send, more=more)
            return True
        self.ledger.answered(choice, target, call.asked)
        if target.credential is not None:
            self.credentials.accepted(target.credential, asked=call.format.value)
        try:
            deadline.silence(timeouts.idle if answer.streamed else timeouts.total)
            answer = named(answer, call)
            if not lane.supports_safeguards:
                answer = await guard(answer, call=call, upstream_done=deadline.resume, ask=self.answer)
            await respond_answer(
                answer, call=call, send=send, deadline=deadline, ping_seconds=self._ping_seconds, more=more
            )
        finally:
            # Cut off an answer that was not read to its end: the rest is not needed, and it may cost money.
            answer.response.close()
        return True

    async def _begin(
        self, call: Call, target: Target, *, lane: Lane, upstreams: Upstreams, deadline: Deadline, hold: bool
    ) -> Answer:
        """Wait for a target's answer to begin. Raises AttemptFailed, or Ended if no other target can help."""
        try:
            with deadline:
                sending = lane.open(call, target, upstreams=upstreams)
                if call.frames is not None:
                    call.frames.forget()
                return await begin(sending, call=call, target=target, hold=hold)
        except Ended as ended:
            if ended.cause is not Cause.SILENT:
                # The upstream has the request, and works on it.
                charge(call, target, Passed())
                raise
            failure = errors.first_token_timeout(call.route.name, call.route.timeouts.first_token)
            raise AttemptFailed(failure, kind=UpstreamError.FIRST_TOKEN, retry=True) from None

    def _note_failure(self, call: Call, target: Target, failed: AttemptFailed) -> None:
        """Record a failed attempt, and count it in the target's health unless the request was at fault."""
        if failed.kind is None:
            return
        call.record.upstream_failed(
            target=target.id, provider=target.provider, kind=failed.kind, obstacle=failed.obstacle
        )
        reason = failed.obstacle.value if failed.obstacle else ""
        self.failures.note(target.id, kind=failed.kind.value, reason=reason, said=failed.said)
        if target.forward_client_token or failed.obstacle is Obstacle.WORKER:
            # A failure with one client's login says nothing about other logins, and one of our worker nothing about the
            # target.
            return
        self.ledger.health.failed(
            target.id,
            EVERY_MODEL if failed.kind in _OF_ALL_MODELS else model_of(target, call.asked),
            retry_after=failed.retry_after,
            reason=failed.kind.value,
        )


def _note_attempt(record: Record, candidate: Candidate, number: int) -> None:
    """Write into the record which target is tried; nothing reads it but the log line and the metrics."""
    record.attempts, record.lane = number, candidate.lane
    record.target, record.provider = candidate.target.id, candidate.target.provider


def _end_waiting(cause: Cause, record: Record) -> None:
    """Record that nothing was sent because the client disconnected; raise Failure if it still waits."""
    if cause is not Cause.GONE:
        raise errors.rate_limited("the limits left no room within the `timeouts.total` of the route", 1) from None
    record.outcome, record.status = outcome(By.CLIENT), record.status or CLIENT_GONE


def _end(cause: Cause, call: Call, target: Target) -> None:
    """Record that the work was ended for ``cause``. Raises Failure if a client still waits for an answer."""
    record = call.record
    if cause is Cause.GONE:
        record.outcome = outcome(By.CLIENT)
        record.status = record.status or CLIENT_GONE
        return
    record.outcome = outcome(By.UPSTREAM, kind=UpstreamError.STALLED)
    record.upstream_failed(target=target.id, provider=target.provider, kind=UpstreamError.STALLED)
    if record.status == 0:
        raise errors.stream_stalled(call.route.name, call.route.timeouts.total) from None


async def _respond_failed(failed: AttemptFailed, *, call: Call, send: Send, more: Headers) -> None:
    """Answer with a failure, or with an estimate if the route allows it and the target cannot count tokens."""
    if call.format is Format.COUNT_TOKENS and call.route.estimate_tokens and failed.lacks_operation:
        await respond_estimate(call, send, more=more)
        return
    if isinstance(failed.reply, Failure):
        call.record.outcome = outcome(By.UPSTREAM, kind=failed.kind)
        raise failed.reply
    await respond_error(failed.reply, call=call, send=send, more=more)
