"""Answers requests about batches: creating one, and the later requests of its creator.

A batch stays at the target where it was created. The gateway stores nothing: the id says where it is and whose.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway.contract.billing import price_of
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.admission.admission import Admission, Grant, Usage
from claude_gateway_proxy.gateway.answer import Answer
from claude_gateway_proxy.gateway.attempts.attempt import begin
from claude_gateway_proxy.gateway.attempts.failed import AttemptFailed
from claude_gateway_proxy.gateway.batches import answers, seal
from claude_gateway_proxy.gateway.batches.asking import Asking
from claude_gateway_proxy.gateway.batches.draft import draft
from claude_gateway_proxy.gateway.batches.request import Request, found, key_of
from claude_gateway_proxy.gateway.costs.cost import OTHER, billed_model, describe
from claude_gateway_proxy.gateway.deadline import Cause, Deadline, Ended
from claude_gateway_proxy.gateway.errors import Failure, Relayed
from claude_gateway_proxy.gateway.respond import respond_error
from claude_gateway_proxy.gateway.routing.choice import LaneName
from claude_gateway_proxy.gateway.telemetry.credentials import Credentials
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, UpstreamError
from claude_gateway_proxy.gateway.upstream.pool import UpstreamPool
from claude_gateway_proxy.gateway.usage.usage import UsageEvents
from claude_gateway_proxy.gateway.wire.paths import BatchPath
from claude_gateway_proxy.unreachable import Obstacle
from claude_gateway_runtime.asgi import Headers, Receive, Send

Respond = Callable[[Answer, Deadline, Headers], Awaitable[None]]
"""Sends an upstream's answer to the client, with further headers."""

_VERBS: Final = {
    ("GET", ""): "retrieve",
    ("DELETE", ""): "delete",
    ("GET", "/results"): "results",
    ("POST", "/cancel"): "cancel",
}
_ALLOWED: Final = {"": "GET, DELETE", "/results": "GET", "/cancel": "POST"}

_MAYBE_SENT: Final = frozenset({Obstacle.CLOSED, Obstacle.BROKEN, Obstacle.OTHER})
"""Obstacles after which an upstream may have received the request."""


_LOST_ANSWERS: Final = frozenset({502, 504, 520, 524})
"""Statuses of a proxy that forwarded the request, but did not get the answer."""


class Batches:
    """Has the connections for requests about batches; created once at start."""

    def __init__(self, *, admission: Admission, credentials: Credentials, events: UsageEvents | None = None) -> None:
        """``credentials`` records upstreams' answers to our credentials; ``events`` each creation before it is sent."""
        self._pool = UpstreamPool()
        self._admission = admission
        self._credentials = credentials
        self._events = events

    async def answer(self, path: BatchPath, method: str, asking: Asking, receive: Receive, send: Send) -> None:
        """Answer one request. Raises Failure only if nothing was sent."""
        if path.ident:
            await self._ask(path, method, asking, receive, send)
        elif method == "POST":
            await self._create(asking, receive, send)
        else:
            raise errors.batches_not_listed() if method == "GET" else errors.wrong_method(method, "POST")

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _create(self, asking: Asking, receive: Receive, send: Send) -> None:
        record = asking.record
        record.batch = "create"
        ready = await draft(asking)
        call, target = ready.call, ready.target
        record.model, record.route = call.body.model, call.route.name
        if self._events is not None:
            self._events.begin(record)

        async def respond(answer: Answer, _: Deadline, more: Headers) -> None:
            fields = answers.document(answer, call)
            plain, key = answers.ident(fields), key_of(call, target)
            shown = seal.sealed(plain, call.body.model, key=key, principal=call.principal)
            body = answers.renamed(fields, shown)
            await answers.respond_document(body, answer, call=call, send=send, more=more)

        request = Request(call, target, "POST", body=ready.body, context=ready.context)
        await self._run(request, receive, send, respond=respond)

    async def _ask(self, path: BatchPath, method: str, asking: Asking, receive: Receive, send: Send) -> None:
        """Answer a request about an existing batch."""
        verb, record = _VERBS.get((method, path.below)), asking.record
        if verb is None:
            raise errors.wrong_method(method, _ALLOWED[path.below])
        record.batch = verb
        named = seal.opened(path.ident)
        if named is None:
            raise errors.unknown_batch()
        call, target = found(asking, named)
        record.model, record.route = named.model, call.route.name

        async def respond(answer: Answer, deadline: Deadline, more: Headers) -> None:
            if verb == "results":
                await answers.respond_results(answer, call=call, send=send, deadline=deadline, more=more)
                return
            fields = answers.document(answer, call)
            if answers.ident(fields) != named.plain:
                raise errors.not_a_batch(call.route.name)
            body = answers.renamed(fields, path.ident)
            await answers.respond_document(body, answer, call=call, send=send, more=more)

        request = Request(call, target, method, below=f"/{named.plain}{path.below}")
        await self._run(request, receive, send, respond=respond)

    async def _run(self, request: Request, receive: Receive, send: Send, *, respond: Respond) -> None:
        """Admit a request, send it and answer; settle its highest possible usage."""
        call, record = request.call, request.call.record
        deadline = Deadline(receive, total=call.route.timeouts.total)
        grant = entered = Grant()
        try:
            with deadline:
                grant = await self._admission.admit(call)
                entered = await self._admission.enter(call, request.target, waits=True) or entered
            await self._send(request, send, deadline=deadline, respond=respond, more=grant.headers)
        except Ended as ended:
            if ended.cause is Cause.GONE:
                record.outcome, record.status = outcome(By.CLIENT), record.status or CLIENT_GONE
                return
            record.outcome = outcome(By.UPSTREAM, kind=UpstreamError.STALLED)
            if not record.status:
                raise errors.stream_stalled(call.route.name, call.route.timeouts.total) from None
        finally:
            deadline.stop()
            describe(call)
            used = Usage.of(record)
            entered.settle(used)
            grant.settle(used)

    async def _send(self, request: Request, send: Send, *, deadline: Deadline, respond: Respond, more: Headers) -> None:
        call, target = request.call, request.target
        upstreams = self._pool.lease(call.snapshot.egress)
        _charge(request)
        try:
            try:
                with deadline:
                    answer = await begin(request.open(upstreams), call=call, target=target, hold=False)
            except AttemptFailed as failed:
                self._note_failure(request, failed)
                if isinstance(failed.reply, Failure):
                    raise failed.reply from None
                await respond_error(failed.reply, call=call, send=send, more=more)
                return
            if target.credential is not None:
                self._credentials.accepted(target.credential, asked=call.format.value)
            try:
                await respond(answer, deadline, more)
            finally:
                answer.response.close()
        finally:
            self._pool.release(upstreams)

    def _note_failure(self, request: Request, failed: AttemptFailed) -> None:
        """Record a failure, and charge nothing for a batch that the upstream cannot have received."""
        call, target, record = request.call, request.target, request.call.record
        if not _may_be_created(failed):
            record.input_tokens = record.output_tokens = record.cost = 0
            record.cost_certain, record.billed_model = True, ""
        record.outcome = outcome(By.UPSTREAM, kind=failed.kind)
        if failed.kind is not None:
            record.upstream_failed(
                target=target.id, provider=target.provider, kind=failed.kind, obstacle=failed.obstacle
            )
        if target.credential is not None and failed.verdict is not None:
            asked = call.format.value
            self._credentials.failed(target.credential, failed.verdict, asked=asked, answer=failed.said)


def _may_be_created(failed: AttemptFailed) -> bool:
    if isinstance(failed.reply, Relayed):
        return failed.reply.status in _LOST_ANSWERS
    return failed.kind is UpstreamError.BROKEN or failed.obstacle in _MAYBE_SENT


def _charge(request: Request) -> None:
    """Record the highest possible cost of a batch before it is sent, because the upstream may run it from then on."""
    call, target, record = request.call, request.target, request.call.record
    record.lane, record.target, record.provider, record.attempts = LaneName.RELAY, target.id, target.provider, 1
    if call.batch is None or not call.batch.generates:
        return
    record.input_tokens, record.output_tokens = call.batch.input_tokens, call.batch.output_tokens
    record.cost, record.cost_certain = call.batch.cost, not call.batch.cost
    listed = target.model != "*" or price_of(target, call.asked_of(target)).listed
    record.billed_model = billed_model(call, target) if listed else OTHER
