"""Sends copies of requests to the candidates of their routes, and compares the answers.

A copy is sent after the client's answer has begun: it delays nothing, and requests that were rejected, or that no
target answered, are not copied. It belongs to the same client, is admitted like every request, and is the first thing
to be dropped on a busy pod. Its answer is not shown, and its tool calls are not run.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from claude_gateway.contract.route import Mirror
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.mirrors.captured import CapturedAnswer, TooLong
from claude_gateway_proxy.gateway.mirrors.sampling import can_be_copied, sampled
from claude_gateway_proxy.gateway.telemetry.outcome import By, outcome
from claude_gateway_proxy.gateway.telemetry.record import CLIENT_GONE, Compared, MirrorResult, Record
from claude_gateway_runtime.asgi import Message, Receive, Send
from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger(__name__)

IN_FLIGHT: Final = 16
"""The most copies that a pod has in flight."""

BYTES: Final = 32 * 1024 * 1024
"""The most bytes of the bodies of these copies together."""

_NOT_COPIED: Final = frozenset({b"idempotency-key", b"x-client-request-id", b"traceparent", b"tracestate"})
"""Headers that are only about the client's own request, and are left out of a copy."""

Answer = Callable[[Call, Receive, Send], Awaitable[None]]
"""Answers a routed request: ``Exchange.answer``."""


class Mirrors:
    """The copies of a pod; created once at start."""

    def __init__(self, answer: Answer, *, busy: Callable[[], bool], compared: Callable[[Compared], None]) -> None:
        """Answer through ``answer``; copy nothing while ``busy``; report to ``compared``."""
        self._answer = answer
        self._busy = busy
        self._compared = compared
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0

    async def answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Answer a request as ``Exchange.answer`` does; one in the share of its route's mirror is copied."""
        mirror = call.route.mirror
        if mirror is None or not can_be_copied(call) or not sampled(call, mirror.percent):
            await self._answer(call, receive, send)
            return
        done = asyncio.Event()
        captured = CapturedAnswer(call.format, send, begun=lambda: self._begin(call, mirror, captured, done))
        try:
            await self._answer(call, receive, captured.send)
        finally:
            done.set()

    async def close(self) -> None:
        """Cut off every copy."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, call: Call, mirror: Mirror, original: CapturedAnswer, done: asyncio.Event) -> None:
        """Start sending a copy if there is room for it."""
        size = len(call.raw)
        if self._busy() or len(self._tasks) >= IN_FLIGHT or self._bytes + size > BYTES:
            self._compared(Compared(call.record, None, "dropped"))
            return
        self._bytes += size
        task = asyncio.create_task(self._run(_copy(call, mirror), call, original, done))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, size))

    def _ended(self, task: asyncio.Task[None], size: int) -> None:
        self._tasks.discard(task)
        self._bytes -= size

    async def _run(self, copy: Call, call: Call, original: CapturedAnswer, done: asyncio.Event) -> None:
        captured = CapturedAnswer(copy.format)
        try:
            await self._ask(copy, captured)
            await done.wait()
        finally:
            seconds = _seconds(call.record, original), _seconds(copy.record, captured)
            self._compared(Compared(call.record, copy.record, _result(original, captured), seconds))

    async def _ask(self, copy: Call, captured: CapturedAnswer) -> None:
        """Run a copy to its end, and write the outcome into its record."""
        record = copy.record
        try:
            await self._answer(copy, _nobody_leaves, captured.send)
        except TooLong:
            record.outcome = outcome(By.CLIENT)
        except Failure as failure:
            record.status, record.error = failure.status, failure.message
            if record.outcome == "ok":
                record.outcome = outcome(By.JUDGE, status=failure.status)
        except asyncio.CancelledError:
            record.status, record.outcome = record.status or CLIENT_GONE, outcome(By.CLIENT)
            raise
        except Exception as error:
            unexpected(_log, "mirror_failed", error, request_id=record.request_id)
            record.outcome = outcome(By.BUG)


def _copy(call: Call, mirror: Mirror) -> Call:
    """Return the request to the candidate: the client's, without its own login and without a judge of tool calls."""
    alone = {"targets": (mirror.target,), "rules": (), "mirror": None, "safeguards_model": None}
    route = call.route.model_copy(update=alone)
    headers = [header for header in call.headers if header[0] not in _NOT_COPIED]
    record = Record(
        wire=call.wire,
        format=call.format,
        started=time.monotonic(),
        client=call.record.client,
        user=call.record.user,
        team=call.record.team,
        proof=call.record.proof,
        route=call.record.route,
        model=call.record.model,
        session=call.record.session,
        stream=call.record.stream,
        mirrors=call.record,
        bytes_in=len(call.raw),
    )
    return msgspec.structs.replace(
        call,
        headers=headers,
        login=(),
        facts=Facts(call.body, headers),
        frames=None,
        route=route,
        record=record,
        origin=call,
    )


def _result(original: CapturedAnswer, copy: CapturedAnswer) -> MirrorResult:
    if copy.failed:
        return "both_failed" if original.failed else "failed"
    if original.failed:
        return "original_failed"
    if original.tools is None or copy.tools is None:
        return "unknown"
    return "same_tools" if original.tools == copy.tools else "other_tools"


def _seconds(record: Record, captured: CapturedAnswer) -> float | None:
    return None if captured.failed or captured.ended_at is None else captured.ended_at - record.started


async def _nobody_leaves() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("the event is never set")
