"""The backend's ASGI application: Messages, counts of tokens and models, each answered by one turn of Claude Code."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import msgspec

from claude_gateway_claude_code import failures, models
from claude_gateway_claude_code.answer import Usage, Whole, frame
from claude_gateway_claude_code.callers import Caller, Callers
from claude_gateway_claude_code.gate import Gate
from claude_gateway_claude_code.metrics import Metrics
from claude_gateway_claude_code.pool import Pool
from claude_gateway_claude_code.request import Turn, read
from claude_gateway_claude_code.response import Response, send_failure
from claude_gateway_claude_code.session import Event, Session
from claude_gateway_claude_code.waiting import unless_gone, with_silences
from claude_gateway_runtime.asgi import (
    JSON,
    TEXT,
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    send_document,
)
from claude_gateway_runtime.failure import Failure
from claude_gateway_runtime.logs import emit, unexpected

_log: Final = logging.getLogger(__name__)
_MESSAGES: Final = "/v1/messages"
_COUNT: Final = "/v1/messages/count_tokens"
_MODELS: Final = "/v1/models"
_CLIENT_GONE: Final = 499
_ELSEWHERE: Final = frozenset({403, 404, 429, 500, 503, 529})
"""Statuses of one model that another may not have."""


@dataclass(slots=True)
class _Record:
    """What the log line and the metrics of a request say."""

    began: float
    caller: str = ""
    model: str = ""
    status: int = _CLIENT_GONE
    usage: Usage = field(default_factory=Usage)
    said: str | None = None


class App:
    """Answers every request of the public listener; ``draining`` is set when the process goes away."""

    def __init__(
        self,
        *,
        callers: Callers,
        pool: Pool,
        gate: Gate,
        metrics: Metrics,
        body: tuple[int, float],
        ping_seconds: float,
    ) -> None:
        """``body`` is the largest body in bytes, and how long a client may be silent in the middle of one."""
        self.draining = False
        self.in_flight = 0
        self._callers = callers
        self._pool = pool
        self._gate = gate
        self._metrics = metrics
        self._body = body
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].rstrip("/") or "/"
        if path == "/healthz" or (path == "/readyz" and not self.draining):
            await send_document(send, status=200, kind=TEXT, body=b"ok\n")
        elif path == "/readyz":
            await send_document(send, status=503, kind=TEXT, body=b"shutting down\n")
        elif path in (_MESSAGES, _COUNT) and scope["method"] == "POST":
            await self._ask(path, scope, receive, send)
        else:
            await self._answer_other(path, scope, send)

    async def _answer_other(self, path: str, scope: Scope, send: Send) -> None:
        """Answer what needs no process: the models, and mistakes."""
        try:
            self._callers.identify(scope["headers"])
            if path in (_MESSAGES, _COUNT):
                raise failures.wrong_method("POST")
            if path != _MODELS and not path.startswith(f"{_MODELS}/"):
                raise failures.unknown_path(path)
            if scope["method"] != "GET":
                raise failures.wrong_method("GET")
            await send_document(send, status=200, kind=JSON, body=models.listed(path.removeprefix(_MODELS).lstrip("/")))
        except Failure as failure:
            await send_failure(send, failure)

    async def _ask(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        record = _Record(began=time.monotonic())
        self.in_flight += 1
        answer = Response(send)
        try:
            await self._serve(path, scope, receive, answer, record)
            record.status = 200
        except ClientGone:
            pass
        except Failure as failure:
            record.status, record.said = failure.status, failure.message
            await answer.fail(failure)
        except Exception as error:
            record.status = 500
            unexpected(_log, "request_failed", error)
            await answer.fail(Failure(status=500, message="the backend failed"))
        finally:
            self.in_flight -= 1
            self._note(path, record)

    async def _serve(self, path: str, scope: Scope, receive: Receive, answer: Response, record: _Record) -> None:
        """Answer a request that needs a process. Raises Failure, ClientGone."""
        caller = self._callers.identify(scope["headers"])
        record.caller = caller.name
        async with self._gate.entered():
            data = await self._read(receive)
            turn = read(data, betas=_betas(scope["headers"]), counts=path == _COUNT)
            record.model = turn.model
            work = self._count(caller, turn, answer) if path == _COUNT else self._answer(caller, turn, answer, record)
            await unless_gone(asyncio.ensure_future(work), receive)

    async def _read(self, receive: Receive) -> bytes:
        limit, seconds = self._body
        try:
            return await read_body(receive, limit=limit, seconds=seconds)
        except BodyTooLarge:
            raise failures.body_too_large(limit) from None
        except BodyTooSlow:
            raise failures.body_too_slow() from None

    async def _answer(self, caller: Caller, turn: Turn, answer: Response, record: _Record) -> None:
        whole = None if turn.stream else Whole()
        async with self._gate.turn():
            began = time.monotonic()
            async with aclosing(self._events(caller, turn)) as events:
                async for event, facts in events:
                    if event is None:
                        await answer.ping()
                        continue
                    if event[0] == "message_start":
                        self._metrics.first_event.observe(time.monotonic() - began)
                        answer.facts = facts
                    record.usage.note(event)
                    if whole is None:
                        await answer.stream(frame(event))
                    else:
                        whole.add(event)
        if whole is None:
            await answer.finish()
        else:
            await answer.whole(whole.message())

    async def _events(self, caller: Caller, turn: Turn) -> AsyncGenerator[tuple[Event | None, Headers], None]:
        """Yield the events of the first model that answers, with Anthropic's headers; None after a silence."""
        for model in turn.models:
            session = await self._pool.take(caller.login)
            begun = False
            try:
                async for event in with_silences(session.ask(turn, model), self._ping_seconds):
                    begun = begun or event is not None
                    yield event, list(session.facts.items())
            except Failure as failure:
                self._learn(caller, failure)
                if begun or model == turn.models[-1] or failure.status not in _ELSEWHERE:
                    raise
            else:
                return
            finally:
                self._pool.end(session)

    async def _count(self, caller: Caller, turn: Turn, answer: Response) -> None:
        async with self._gate.turn():
            session: Session = await self._pool.take(caller.login)
            try:
                count = await session.count(turn, turn.models[0])
            except Failure as failure:
                self._learn(caller, failure)
                raise
            finally:
                self._pool.end(session)
        await answer.whole(msgspec.json.encode({"input_tokens": count}))

    def _learn(self, caller: Caller, failure: Failure) -> None:
        if isinstance(failure, failures.AnsweredFailure) and failure.rejects_login:
            self._pool.forget(caller.login)

    def _note(self, path: str, record: _Record) -> None:
        usage = record.usage
        self._metrics.answered(caller=record.caller or "unknown", status=record.status, tokens=usage.counts)
        emit(
            _log,
            "request",
            endpoint=path,
            caller=record.caller,
            model=record.model,
            answered_by=usage.model,
            status=record.status,
            error=record.said,
            stop_reason=usage.stop_reason,
            took_ms=round((time.monotonic() - record.began) * 1000),
            **usage.counts,
        )


def _betas(headers: Headers) -> str:
    return ",".join(value.decode("latin-1") for name, value in headers if name == b"anthropic-beta")
