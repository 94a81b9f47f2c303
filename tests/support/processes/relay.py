"""A TCP relay on loopback that a test can cut, or hush: a network that fails in the two ways networks fail."""

import asyncio
from types import TracebackType
from typing import Any, Self

from tests.support.processes.waiting import closed


class Relay:
    """Passes bytes between clients and one port; an async context manager, ``port`` is its own."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._mute: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await closed()

    @property
    def hushed(self) -> int:
        """How many of the connections that were hushed are still open."""
        return len(self._mute & self._open.keys())

    def hush(self) -> None:
        """Leave every connection open and pass nothing more through them; new ones work."""
        self._mute.update(*self._open.items())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [writer]
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(there)
            self._open[writer] = there
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, there))
                pumps.create_task(self._pump(there_reader, writer))
        except (OSError, asyncio.CancelledError):
            # Cut, or nobody answers there: both ends find out below.
            pass
        finally:
            self._open.pop(writer, None)
            self._tasks.discard(task)
            for end in ends:
                end.transport.abort()
            await closed()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if sink not in self._mute:
                    sink.write(data)
                    await sink.drain()
            sink.close()
        except OSError:
            sink.transport.abort()
