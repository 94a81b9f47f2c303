"""One client of the soak: sends a planned request over a raw connection and says how its answer ended."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from tests.soak.plans import Ending, Manner, Outcome, Plan

PATIENCE: Final = 120.0
"""Seconds without a byte after which a client gives up; pings come much sooner."""
_SLOW_PAUSE: Final = 0.05
"""Seconds that a slow reader waits after each piece."""
_SMALL_BUFFER: Final = 8 * 1024
_TURN: Final = (
    '{"role":"user","content":"please look at file number seven and tell me what it does"},'
    '{"role":"assistant","content":"it does a number of things, the first of which is this"},'
)
_TURNS: Final = 25


class StaleError(Exception):
    """A kept connection was closed before an answer began: every HTTP client asks again then."""


@dataclass(slots=True)
class _Answer:
    status: int
    headers: dict[str, str]


def request(plan: Plan, *, port: int, key: str) -> bytes:
    """Return the whole request: about 4 KB, as a Messages client sends it."""
    last = json.dumps({"role": "user", "content": f"go on {plan.marker}"})
    body = f'{{"model":"{plan.lane}","max_tokens":4096,"stream":true,"messages":[{_TURN * _TURNS}{last}]}}'.encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: {key}\r\n"
        f"anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """A client with one connection, which it keeps while answers end whole."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.stale = 0
        """Kept connections that turned out to be closed."""

    async def ask(self, plan: Plan, *, key: str) -> Outcome:
        """Carry out a plan."""
        kept = self._streams is not None and plan.manner is not Manner.SLOW
        try:
            return await self._ask(plan, key=key)
        except StaleError:
            if not kept:
                return Outcome(Ending.NONE, detail="the connection ended before an answer")
            self.stale += 1
        try:
            return await self._ask(plan, key=key)
        except StaleError:
            return Outcome(Ending.NONE, detail="the connection ended before an answer, twice")

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
            await asyncio.sleep(0)

    async def _ask(self, plan: Plan, *, key: str) -> Outcome:
        reader, writer = await self._connected(plan)
        keep = False
        try:
            data = request(plan, port=self._port, key=key)
            if plan.manner is Manner.LEAVES_EARLY:
                writer.write(data[: len(data) // 2])
                await asyncio.sleep(plan.pace)
                return Outcome(Ending.LEFT)
            writer.write(data)
            answer = await self._head(reader)
            outcome = await self._read(plan, answer, reader)
            keep = outcome.ending is Ending.WHOLE and answer.headers.get("connection", "").lower() != "close"
        except TimeoutError:
            return Outcome(Ending.NONE, detail=f"silence for {PATIENCE:g} s")
        except ConnectionError as error:
            raise StaleError from error
        else:
            return outcome
        finally:
            if not keep:
                await self.close()

    async def _connected(self, plan: Plan) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and (plan.manner is Manner.SLOW or self._streams[0].at_eof()):
            await self.close()
        if self._streams is None:
            connection = socket.socket()
            connection.setblocking(False)
            limit = 2**16
            if plan.manner is Manner.SLOW:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
                limit = _SMALL_BUFFER
            try:
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._port))
                self._streams = await asyncio.open_connection(sock=connection, limit=limit)
            except BaseException:
                connection.close()
                raise
        return self._streams

    async def _head(self, reader: asyncio.StreamReader) -> _Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise StaleError from error
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return _Answer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs})

    async def _read(self, plan: Plan, answer: _Answer, reader: asyncio.StreamReader) -> Outcome:
        outcome = Outcome(Ending.CUT, status=answer.status)
        if answer.status != 200:
            outcome.ending = Ending.ERROR
            outcome.detail = (await _rest(reader, answer))[:200].decode("utf-8", "replace")
            return outcome
        try:
            async for event in _events(reader, slow=plan.manner is Manner.SLOW):
                if not _count(plan, event, outcome):
                    return outcome
        except (asyncio.IncompleteReadError, ConnectionError):
            outcome.ending = Ending.CUT
        return outcome


def _count(plan: Plan, event: dict[str, Any], outcome: Outcome) -> bool:
    """Count one event; return whether the answer goes on."""
    match event["type"]:
        case "content_block_delta":
            text = event["delta"].get("text", "")
            if text != plan.text(outcome.events):
                outcome.ending, outcome.detail = Ending.GARBLED, f"instead of event {outcome.events}: {text[:60]!r}"
                return False
            outcome.events += 1
            if plan.manner is Manner.LEAVES and outcome.events >= plan.after:
                outcome.ending = Ending.LEFT
                return False
        case "message_stop":
            # The end of the body follows: only then is the answer whole.
            outcome.ending = Ending.WHOLE
        case "error":
            outcome.ending, outcome.detail = Ending.ERROR_EVENT, str(event["error"].get("type"))
            return False
        case _:
            pass
    return True


async def _events(reader: asyncio.StreamReader, *, slow: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a chunked stream. Raises IncompleteReadError where it breaks off."""
    buffer = bytearray()
    while True:
        async with asyncio.timeout(PATIENCE):
            size = int((await reader.readuntil(b"\r\n")).strip() or b"0", 16)
            data = await reader.readexactly(size + 2)
        if not size:
            return
        buffer += data[:-2]
        *blocks, rest = bytes(buffer).split(b"\n\n")
        buffer = bytearray(rest)
        for block in blocks:
            lines = [line for line in block.split(b"\n") if line.startswith(b"data: ")]
            if lines:
                yield json.loads(lines[-1].removeprefix(b"data: "))
        if slow:
            await asyncio.sleep(_SLOW_PAUSE)


async def _rest(reader: asyncio.StreamReader, answer: _Answer) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.readexactly(int(answer.headers.get("content-length", "0")))
    except asyncio.IncompleteReadError as error:
        return error.partial
