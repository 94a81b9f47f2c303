"""An upstream with next to no cost of its own: it reads whole requests and writes prepared bytes.

``python -m tests.bench.upstream`` prints its port. What it answers depends on the path alone: Anthropic Messages
or OpenAI Chat Completions, streamed when the body says so. A request header ``anthropic-bench-events: N`` asks for a
stream of N events at 50 events per second; without it all events come at once. The model ``held`` asks for a stream of
``HELD_EVENTS`` events, one each ``HELD_PERIOD`` seconds, and ``paced`` for one of ``PACED_EVENTS`` at 50 a second: no
header passes the lanes that translate. Below the path ``/busy`` every answer is 529.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Final, cast

import uvloop
from tests.support.processes.listener import serve_until_terminated

_RATE: Final = 50
_HELD_TICKS: Final = 3
HELD_PERIOD: Final = _HELD_TICKS / _RATE
HELD_EVENTS: Final = 500
PACED_EVENTS: Final = 500
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: "
_TEXT: Final = "The quick brown fox jumps. " * 2


def _whole(body: object) -> bytes:
    data = json.dumps(body).encode()
    return _HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _sse(event: Mapping[str, object], *, named: bool) -> bytes:
    prefix = b"event: %s\n" % str(event["type"]).encode() if named else b""
    return _chunk(prefix + b"data: " + json.dumps(event).encode() + b"\n\n")


_USAGE: Final = {"input_tokens": 11, "output_tokens": 20}
_MESSAGE: Final = {
    "id": "msg_bench",
    "type": "message",
    "role": "assistant",
    "model": "bench",
    "content": [{"type": "text", "text": _TEXT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_CHAT: Final = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1,
    "model": "bench",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": _TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 20, "total_tokens": 31},
}


def _anthropic_stream() -> tuple[bytes, bytes, bytes]:
    start = {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _TEXT}}
    stop = {"type": "content_block_stop", "index": 0}
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE}
    return (
        _sse(start, named=True) + _sse(block, named=True),
        _sse(delta, named=True),
        _sse(stop, named=True) + _sse(last, named=True) + _sse({"type": "message_stop"}, named=True) + b"0\r\n\r\n",
    )


def _chat_stream() -> tuple[bytes, bytes, bytes]:
    def event(*choices: dict[str, object], **more: object) -> bytes:
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
        return _sse({**head, "choices": choices, **more}, named=False)

    def choice(delta: dict[str, object], finish: str | None) -> dict[str, object]:
        return {"index": 0, "delta": delta, "finish_reason": finish}

    # As with `include_usage`, which the gateway always asks for.
    last = event(choice({}, "stop")) + event(usage=_CHAT["usage"])
    return (
        event(choice({"role": "assistant", "content": ""}, None)),
        event(choice({"content": _TEXT}, None)),
        last + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n",
    )


_STREAM_HEAD: Final = _HEAD + b"text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_STREAMS: Final = {True: _anthropic_stream(), False: _chat_stream()}
_WHOLE: Final = {True: _whole(_MESSAGE), False: _whole(_CHAT)}
_BURST_EVENTS: Final = 20
_BUSY: Final = b"HTTP/1.1 529 Overloaded\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Upstream(asyncio.Protocol):
    """One connection: collects a request by its content-length, answers, waits for the next."""

    def __init__(self, ticker: "Ticker") -> None:
        self._ticker = ticker
        self._buffer = bytearray()
        self._need = -1
        self._head = b""
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass

    def connection_lost(self, _: Exception | None) -> None:
        self._ticker.streams.pop(self, None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            if self._need < 0:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                self._head = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                self._need = int(self._header(b"content-length") or 0)
            if len(self._buffer) < self._need:
                return
            body = bytes(self._buffer[: self._need])
            del self._buffer[: self._need]
            self._need = -1
            self._answer(body)

    def _header(self, name: bytes) -> bytes | None:
        for line in self._head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip()
        return None

    def _answer(self, body: bytes) -> None:
        if b" /busy/" in self._head[:200]:
            self._transport.write(_BUSY)
            return
        anthropic = b"/messages" in self._head[:200]
        if b'"stream":true' not in body and b'"stream": true' not in body:
            self._transport.write(_WHOLE[anthropic])
            return
        first, event, last = _STREAMS[anthropic]
        paced = self._header(b"anthropic-bench-events")
        self._held = b'"held"' in body
        if self._held:
            paced = b"%d" % (HELD_EVENTS * _HELD_TICKS)
        elif b'"paced"' in body:
            paced = b"%d" % PACED_EVENTS
        if paced is None:
            self._transport.write(_STREAM_HEAD + first + event * _BURST_EVENTS + last)
            return
        self._transport.write(_STREAM_HEAD + first)
        self._ticker.streams[self] = int(paced)

    def tick(self, left: int, *, anthropic: bool) -> None:
        """Write one paced event, or the end of the stream."""
        _, event, last = _STREAMS[anthropic]
        if not left or not self._held or left % _HELD_TICKS == 0:
            self._transport.write(event if left else last)

    @property
    def anthropic(self) -> bool:
        """Whether the running request is for the Anthropic wire."""
        return b"/messages" in self._head[:200]


class Ticker:
    """Writes the events of all paced streams, spread evenly over each period."""

    def __init__(self) -> None:
        self.streams: dict[Upstream, int] = {}

    async def run(self) -> None:
        slices = 10
        loop = asyncio.get_running_loop()
        due = loop.time()
        turn = 0
        while True:
            due += 1 / _RATE / slices
            await asyncio.sleep(max(0.0, due - loop.time()))
            for stream in [s for s in self.streams if id(s) // 64 % slices == turn]:
                left = self.streams[stream] - 1
                stream.tick(max(left, 0), anthropic=stream.anthropic)
                if left <= 0:
                    del self.streams[stream]
                else:
                    self.streams[stream] = left
            turn = (turn + 1) % slices


async def main() -> None:
    """Serve on an ephemeral loopback port until SIGTERM."""
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run())
    await serve_until_terminated(lambda: Upstream(ticker))
    ticking.cancel()


if __name__ == "__main__":
    uvloop.run(main())
