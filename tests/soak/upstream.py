"""The soak's upstream: answers each request as the plan in its prompt says (``tests.soak.plans``).

``python -m tests.soak.upstream`` prints its port. It speaks Anthropic Messages and OpenAI Chat Completions, streamed.
Below the path ``/spare`` no fault strikes before the answer. ``GET /state`` says how many streams are open, how many
requests came, and how many of them were left by their client.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, cast

import uvloop
from tests.soak.plans import BEFORE_THE_ANSWER, Fault, Plan, read
from tests.support.processes.listener import serve_until_terminated

_STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_USAGE: Final = {"input_tokens": 11, "output_tokens": 20}
_STATUSES: Final = {Fault.BUSY: (429, 429), Fault.BROKEN: (500, 500), Fault.OVERLOADED: (529, 503)}
"""On the Anthropic wire, and on OpenAI's."""
_TYPES: Final = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error", 503: "server_error"}
_FULL: Final = 64 * 1024
"""Bytes that wait to be sent from which on the upstream pauses, as a real server does."""


def _answer(status: int, body: Mapping[str, object], *headers: bytes) -> bytes:
    data = json.dumps(body).encode()
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Type: application/json", b"Content-Length: %d" % len(data), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + data


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Anthropic:
    """The events of a Messages stream."""

    def first(self, plan: Plan) -> bytes:
        message = {"id": f"msg_{plan.number}", "type": "message", "role": "assistant", "model": "soak", "content": []}
        start = {**message, "stop_reason": None, "stop_sequence": None, "usage": _USAGE}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return self._event({"type": "message_start", "message": start}) + self._event(block)

    def text(self, text: str) -> bytes:
        delta = {"type": "text_delta", "text": text}
        return self._event({"type": "content_block_delta", "index": 0, "delta": delta})

    def last(self) -> bytes:
        ending = {"stop_reason": "end_turn", "stop_sequence": None}
        stop = self._event({"type": "content_block_stop", "index": 0})
        delta = self._event({"type": "message_delta", "delta": ending, "usage": _USAGE})
        return stop + delta + self._event({"type": "message_stop"})

    def error(self) -> bytes:
        return self._event({"type": "error", "error": {"type": "overloaded_error", "message": "injected"}})

    def _event(self, event: Mapping[str, Any]) -> bytes:
        return _chunk(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()))


class _OpenAI:
    """The events of a Chat Completions stream."""

    def first(self, _: Plan) -> bytes:
        return self._event({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self._event({"content": text})

    def last(self) -> bytes:
        usage = {"prompt_tokens": 11, "completion_tokens": 20, "total_tokens": 31}
        return self._event({}, finish="stop", usage=usage) + _chunk(b"data: [DONE]\n\n")

    def error(self) -> bytes:
        return _chunk(b'data: {"error":{"message":"injected","type":"server_error","code":503}}\n\n')

    def _event(self, delta: Mapping[str, str], *, finish: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        event = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "soak", "choices": [choice]}
        return _chunk(b"data: %s\n\n" % json.dumps({**event, **more}).encode())


class Counts:
    """What the upstream saw."""

    def __init__(self) -> None:
        self.requests = 0
        self.open = 0
        self.left = 0


class Connection(asyncio.Protocol):
    """One connection: reads a request by its content-length, answers, waits for the next."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._buffer = bytearray()
        self._running: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass
        self._transport.set_write_buffer_limits(high=_FULL)

    def connection_lost(self, _: Exception | None) -> None:
        self._writable.set()
        if self._running is not None:
            self._counts.left += 1
            self._running.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        mark = head.lower().find(b"content-length:")
        length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._received(head, body)

    def _received(self, head: bytes, body: bytes) -> None:
        plan = read(body)
        if head.startswith(b"GET /state "):
            self._transport.write(_answer(200, vars(self._counts)))
            return
        self._counts.requests += 1
        if plan is None:
            self._transport.write(_answer(400, {"error": {"message": "no plan in the prompt"}}))
            return
        anthropic = b"/messages" in head[:100]
        struck = plan.fault in BEFORE_THE_ANSWER and b" /spare" not in head[:100]
        if struck and plan.fault is Fault.REFUSED:
            self._transport.abort()
        elif struck and plan.fault is not None:
            status = _STATUSES[plan.fault][0 if anthropic else 1]
            error = {"type": "error", "error": {"type": _TYPES[status], "message": "injected"}}
            self._transport.write(_answer(status, error, b"Retry-After: 1"))
        else:
            self._running = asyncio.get_running_loop().create_task(self._stream(plan, anthropic=anthropic))

    async def _stream(self, plan: Plan, *, anthropic: bool) -> None:
        wire = _Anthropic() if anthropic else _OpenAI()
        self._counts.open += 1
        try:
            self._transport.write(_STREAM + wire.first(plan))
            for number in range(plan.events):
                await self._writable.wait()
                await asyncio.sleep(plan.pace)
                if number == plan.after and plan.fault is Fault.CUT:
                    self._transport.abort()
                    return
                if number == plan.after and plan.fault is Fault.FAILED:
                    self._transport.write(wire.error() + b"0\r\n\r\n")
                    return
                if number == plan.after and plan.fault is Fault.HUNG:
                    await asyncio.Event().wait()
                self._transport.write(wire.text(plan.text(number)))
            self._transport.write(wire.last() + b"0\r\n\r\n")
        finally:
            self._counts.open -= 1
            self._running = None


async def main() -> None:
    """Serve on an ephemeral loopback port until SIGTERM."""
    counts = Counts()
    await serve_until_terminated(lambda: Connection(counts))


if __name__ == "__main__":
    uvloop.run(main())
