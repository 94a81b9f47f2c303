"""From a routed request to its answer: choose a target, take its lane, fail over, pass the answer on.

Another target is tried only while nothing was sent to the client, and only for what another target may do better:
no connection, no first byte in time, our own credential refused, 408, 429, 5xx. The last failure decides the answer,
but for a broken target after a busy one: then it is worth asking again, and that is what the client is told.
"""

import random
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from claude_gateway.contract.policy import CLAUDE_WIRES, Format, Target, Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.attempt import Answer, Missed, begin
from claude_gateway_proxy.gateway.auth.keys import open_to
from claude_gateway_proxy.gateway.body.facts import splice
from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking
from claude_gateway_proxy.gateway.body.parameters import changes
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.deadline import Cause, Ended, Watch
from claude_gateway_proxy.gateway.errors import Failure, Relayed
from claude_gateway_proxy.gateway.lanes.litellm import LiteLLMLane
from claude_gateway_proxy.gateway.lanes.relay.endpoint import Endpoint, endpoint
from claude_gateway_proxy.gateway.lanes.relay.headers import request_headers
from claude_gateway_proxy.gateway.lanes.relay.identities import Identities
from claude_gateway_proxy.gateway.lanes.relay.request import Request, is_relayed, model_at
from claude_gateway_proxy.gateway.lanes.relay.request import request as cloud_request
from claude_gateway_proxy.gateway.respond import pass_answer, pass_error, pass_estimate
from claude_gateway_proxy.gateway.routing.health import Health, retry_after
from claude_gateway_proxy.gateway.routing.order import order
from claude_gateway_proxy.gateway.safeguards.guard import guard
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, Record, UpstreamError
from claude_gateway_proxy.gateway.upstream.pool import UpstreamPool
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.gateway.wire.reframe import Changes, as_messages
from claude_gateway_runtime.asgi import Receive, Send

if TYPE_CHECKING:
    from claude_gateway_proxy.gateway.snapshot import Snapshot

__all__ = ["Call", "Exchange"]


class Exchange:
    """Answers routed requests. Holds the connections to upstreams and to the LiteLLM worker; made once at start."""

    def __init__(self, *, litellm_socket: Path, ping_seconds: float) -> None:
        """Connect lazily; ``litellm_socket`` need not exist until a target needs it. Needs a running event loop."""
        self._pool = UpstreamPool()
        self._ping_seconds = ping_seconds
        self._health = Health(time.monotonic)
        self._litellm = LiteLLMLane(str(litellm_socket))
        self._identities = Identities()
        self._endpoints: dict[tuple[str, Format], Endpoint | None] = {}
        self._endpoints_of: Snapshot | None = None

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Send the whole answer.

        Raises Failure only if nothing was sent. An answer that broke off returns without its end, so that the server
        closes the connection; so does one whose client left.
        """
        record = call.record
        upstreams = self._pool.lease(call.snapshot.egress)
        watch = Watch(receive, total=call.route.timeouts.total)
        try:
            with watch:
                await self._answer(call, upstreams=upstreams, send=send, watch=watch)
        except Ended as ended:
            if ended.cause is Cause.GONE:
                record.outcome = "cancelled"
                record.status = record.status or CLIENT_GONE
                return
            record.outcome = "timeout"
            record.upstream_failed(target=record.target, provider=record.provider, kind=UpstreamError.STALLED)
            if record.status == 0:
                raise errors.stream_stalled(call.route.name, call.route.timeouts.total) from None
        finally:
            watch.stop()
            self._pool.release(upstreams)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._litellm.close()
        self._identities.close()

    async def _answer(self, call: Call, *, upstreams: Upstreams, send: Send, watch: Watch) -> None:
        record, timeouts = call.record, call.route.timeouts
        targets = order(
            open_to(call.route, format=call.format, login=call.login), random=random.random, well=self._health.well
        )
        told: Missed | None = None
        for number, target in enumerate(targets, start=1):
            more = number < len(targets)
            record.attempts, record.target, record.provider = number, target.id, target.provider
            watch.silence(timeouts.first_token if call.body.stream else timeouts.total)
            try:
                answer = await self._begin(call, target, upstreams=upstreams, watch=watch, hold=more)
            except Missed as missed:
                if missed.kind is not None:
                    record.upstream_failed(target=target.id, provider=target.provider, kind=missed.kind)
                    self._remember(target, missed)
                if told is None or missed.outweighs(told):
                    told = missed
                if not (missed.retry and more):
                    await _give(told, call=call, send=send)
                    return
                continue
            self._health.answered(target.id)
            try:
                watch.silence(timeouts.idle if answer.streamed else timeouts.total)
                answer = await guard(answer, call=call, heard=watch.resume, ask=self.answer)
                await pass_answer(answer, call=call, send=send, watch=watch, ping_seconds=self._ping_seconds)
            finally:
                # What was not read to its end is cut off: nobody wants it, and it may cost money.
                answer.response.close()
            return
        raise errors.no_targets(call.route.name)

    def _remember(self, target: Target, missed: Missed) -> None:
        if target.forward_client_token:
            return  # what one login meets says nothing of the next one
        headers = missed.reply.headers if isinstance(missed.reply, Relayed) else ()
        self._health.failed(target.id, retry_after=retry_after(headers, now=datetime.now(UTC)))

    async def _begin(self, call: Call, target: Target, *, upstreams: Upstreams, watch: Watch, hold: bool) -> Answer:
        """Try one target. Raises Missed, or Ended for what no other target can mend."""
        try:
            with watch:
                sending, down, wire = self._sending(call, target, upstreams)
                if call.frames is not None:
                    call.frames.forget()
                ours = not target.forward_client_token
                return await begin(sending, call=call, down=down, wire=wire, hold=hold, ours=ours)
        except Ended as ended:
            if ended.cause is not Cause.SILENT:
                raise
            failure = errors.first_token_timeout(call.route.name, call.route.timeouts.first_token)
            raise Missed(failure, kind=UpstreamError.FIRST_TOKEN, retry=True) from None

    def _sending(
        self, call: Call, target: Target, upstreams: Upstreams
    ) -> tuple[Awaitable[aiohttp.ClientResponse], Failure, Wire]:
        """The request on its lane, what to say if there is nobody, and the wire of the answer."""
        found: Changes = {**changes(target, format=call.format, body=call.body)}
        where = self._endpoint(call, target) if is_relayed(target, call.format, call.asked) else None
        if where is None:
            call.record.lane = "litellm"
            if call.wire in (Wire.BEDROCK, Wire.VERTEX):
                found = as_messages(call.body) | found
            sending = self._litellm.request(target, call=call, body=splice(call.body, found))
            return sending, errors.litellm_down(), Wire.ANTHROPIC
        call.record.lane = "relay"
        if where.wire in CLAUDE_WIRES:
            found |= without_foreign_thinking(call.body)
        login = call.login if target.forward_client_token else ()
        down = errors.upstream_down(call.route.name)
        if where.wire is not call.wire or where.cloud:
            request = cloud_request(call, target, where, found=found, login=login)
            if where.cloud:
                return self._identified(request, call=call, target=target, upstreams=upstreams), down, where.wire
            return upstreams.send(request.url, headers=request.headers, body=request.body), down, where.wire
        model = model_at(target, call.asked)
        if model != call.body.model:
            found["model"] = msgspec.json.encode(model)
        headers = request_headers(call.headers, login=login, always=where.always, missing=where.missing)
        sending = upstreams.send(where.address(call.query), headers=headers, body=splice(call.body, found))
        return sending, down, where.wire

    async def _identified(
        self, request: Request, *, call: Call, target: Target, upstreams: Upstreams
    ) -> aiohttp.ClientResponse:
        """Send a request to a cloud under the gateway's identity there. Raises IdentityError without one."""
        headers = await self._identities.headers(target, request, snapshot=call.snapshot)
        request.headers.update(headers)
        return await upstreams.send(request.url, headers=request.headers, body=request.body)

    def _endpoint(self, call: Call, target: Target) -> Endpoint | None:
        """The target's relay endpoint, kept for the newest snapshot; None: the LiteLLM lane."""
        if call.snapshot is not self._endpoints_of:
            self._endpoints, self._endpoints_of = {}, call.snapshot
            self._identities.keep(call.snapshot.secrets)
        key = (target.id, call.format)
        if key not in self._endpoints:
            self._endpoints[key] = endpoint(target, format=call.format, secrets=call.snapshot.secrets)
        return self._endpoints[key]


async def _give(missed: Missed, *, call: Call, send: Send) -> None:
    """The last failure is the answer; where the route allows it, an estimate in place of a count that nobody gives."""
    if call.format is Format.COUNT_TOKENS and call.route.estimate_tokens and missed.uncounted:
        await pass_estimate(call, send)
        return
    if isinstance(missed.reply, Failure):
        _set_outcome(call.record, missed)
        raise missed.reply
    await pass_error(missed.reply, call=call, send=send)


def _set_outcome(record: Record, missed: Missed) -> None:
    if missed.kind is UpstreamError.FIRST_TOKEN:
        record.outcome = "timeout"
    else:
        record.outcome = "upstream_error" if missed.kind is not None else "client_error"
