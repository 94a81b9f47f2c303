"""A load client with next to no cost of its own: raw HTTP/1.1 over kept-alive loopback connections."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go and what they carry; ``key`` is a gateway key or anything for an upstream."""

    port: int
    path: str
    key: str
    model: str
    events: int | None = None

    def request(self, body: bytes) -> bytes:
        """The whole request as bytes."""
        extra = f"anthropic-bench-events: {self.events}\r\n" if self.events else ""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.key}\r\n"
            f"anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def prompt(model: str, *, size: int, stream: bool) -> bytes:
    """A Messages or Chat body of about ``size`` bytes with the shape that agents send: many short messages."""
    line = b'{"role":"user","content":"please look at file number seven and tell me what it does \\n ok"},'
    answer = b'{"role":"assistant","content":"it does a number of things, the first of which is this"},'
    turns = max(1, size // (len(line) + len(answer)))
    flag = b"true" if stream else b"false"
    last = b'{"role":"user","content":"go on"}'
    return b'{"model":"%s","max_tokens":1024,"stream":%s,"messages":[%s%s]}' % (
        model.encode(),
        flag,
        (line + answer) * turns if size > 400 else b"",
        last,
    )


@dataclass(slots=True)
class Sample:
    """One exchange: seconds to first byte and to the end, gaps between reads, status (0: connection lost)."""

    status: int = 0
    first: float = 0.0
    total: float = 0.0
    gaps: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One kept-alive connection; one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self._gaps = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self._done and not self._done.done():
            self._sample.status = 0
            self._done.set_result(None)

    async def exchange(self, endpoint: Endpoint, request: bytes, *, gaps: bool = False) -> Sample:
        """Send one request and read its answer to the end."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", endpoint.port)
        assert self._transport is not None
        self._done, self._sample, self._gaps = loop.create_future(), Sample(), gaps
        self._buffer, self._need = bytearray(), -1
        self._sent = self._last = time.perf_counter()
        self._transport.write(request)
        await self._done
        return self._sample

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._done is None or self._done.done():
            return
        sample = self._sample
        if not sample.first:
            sample.first = now - self._sent
        elif self._gaps:
            sample.gaps.append(now - self._last)
        self._last = now
        if self._need < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            sample.status = int(head[9:12])
            mark = head.find(b"content-length:")
            self._length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else None
            self._need = 0
            data = bytes(self._buffer[end + 4 :])
            self._read = 0
            self._tail = b""
        self._read += len(data)
        self._tail = (self._tail + data)[-5:]
        if self._read >= self._length if self._length is not None else self._tail == b"0\r\n\r\n":
            sample.total = now - self._sent
            self._done.set_result(None)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport:
            self._transport.close()


async def saturate(endpoint: Endpoint, body: bytes, *, connections: int, seconds: float) -> tuple[float, list[Sample]]:
    """Closed loop: ``connections`` clients for ``seconds``; returns answers per second and the samples."""
    request = endpoint.request(body)
    samples: list[Sample] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        connection = Connection()
        while time.perf_counter() < end:
            samples.append(await connection.exchange(endpoint, request))
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return len(samples) / (time.perf_counter() - started), samples


async def paired(
    endpoints: Sequence[Endpoint], bodies: Sequence[bytes], *, rate: float, seconds: float
) -> list[list[Sample]]:
    """Open loop: ``rate`` requests a second to each endpoint, interleaved, so that both see the same machine."""
    requests = [e.request(b) for e, b in zip(endpoints, bodies, strict=True)]
    samples: list[list[Sample]] = [[] for _ in endpoints]
    idle: list[list[Connection]] = [[] for _ in endpoints]

    async def one(which: int) -> None:
        connection = idle[which].pop() if idle[which] else Connection()
        samples[which].append(await connection.exchange(endpoints[which], requests[which]))
        idle[which].append(connection)

    loop = asyncio.get_running_loop()
    started, count = loop.time(), int(rate * seconds)
    tasks = []
    for turn in range(count):
        for which in range(len(endpoints)):
            await asyncio.sleep(max(0.0, started + (turn + which / len(endpoints)) / rate - loop.time()))
            tasks.append(loop.create_task(one(which)))
    await asyncio.gather(*tasks)
    for connections in idle:
        for connection in connections:
            connection.close()
    return samples


async def open_streams(endpoint: Endpoint, body: bytes, *, count: int, ramp: float) -> list[Sample]:
    """Open ``count`` paced streams over ``ramp`` seconds and read each to its end, with the gaps between reads."""
    request = endpoint.request(body)

    async def one(delay: float) -> Sample:
        await asyncio.sleep(delay)
        connection = Connection()
        sample = await connection.exchange(endpoint, request, gaps=True)
        connection.close()
        return sample

    return list(await asyncio.gather(*(one(i * ramp / count) for i in range(count))))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
