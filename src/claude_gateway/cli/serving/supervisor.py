"""Keeps child processes running: starts them, restarts those that die, and stops them in order."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from claude_gateway.cli.serving.child import Child

BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a child is restarted; the last value repeats."""
STEADY_SECONDS: Final = 30.0
"""A child that ran this long has recovered: after its next death the shortest wait applies again."""
_LINE_LIMIT: Final = 1024 * 1024


class Listener(Protocol):
    """Receives the events of the children."""

    def line(self, child: str, text: str) -> None:
        """Called with each line that a child wrote."""

    def died(self, child: str, how: str, wait: float) -> None:
        """Called when a child ended by itself; it is restarted in ``wait`` seconds."""

    def restarted(self, child: str, pid: int) -> None:
        """Called when a child was restarted."""


class ChildFailedError(Exception):
    """A child ended before it was ready for the first time."""

    def __init__(self, child: str, how: str) -> None:
        super().__init__(f"{child} {how} before it was ready")
        self.child = child


class Supervised:
    """One child, across restarts."""

    def __init__(self, child: Child, listener: Listener) -> None:
        self.child = child
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._listener = listener
        self._process: asyncio.subprocess.Process | None = None
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run the child and restart it when it dies, until ``stop``. Raises ChildFailedError if it never was ready."""
        attempt = 0
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            started = loop.time()
            self._process = process = await self._spawn()
            if self._stop.is_set():
                self.kill()
            elif attempt:
                self._listener.restarted(self.child.name, process.pid)
            await self._until_end(process)
            if self._stop.is_set():
                return
            how = _ending(process.returncode)
            if not self.address.done():
                raise ChildFailedError(self.child.name, how)
            if loop.time() - started > STEADY_SECONDS:
                attempt = 0
            wait = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
            attempt += 1
            self._listener.died(self.child.name, how, wait)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def stop(self) -> None:
        """Ask the child to stop; kill it after its grace period."""
        self._stop.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._send(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.child.grace)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """Kill the child and its process group."""
        self._stop.set()
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A separate session: Ctrl-C in the terminal must reach only this process, which stops the children in order.
        return await asyncio.create_subprocess_exec(
            *self.child.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(self.child.environment),
            start_new_session=True,
            limit=_LINE_LIMIT,
        )

    async def _until_end(self, process: asyncio.subprocess.Process) -> None:
        streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        await asyncio.gather(*(self._read(stream) for stream in streams), process.wait())

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                # The line is longer than the limit; what was read of it is dropped.
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\n")
            if not self.address.done():
                self._notice(text)
            self._listener.line(self.child.name, text)

    def _notice(self, text: str) -> None:
        address = listening(text)
        if address is not None:
            self.address.set_result(address)
            self.child = self.child.at(address)


class Supervisor:
    """All children; the first, which needs the others until it ended, is stopped before them."""

    def __init__(self, children: Sequence[Child], listener: Listener) -> None:
        self._listener = listener
        self._children = {child.name: Supervised(child, listener) for child in children}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> dict[str, str]:
        """Start all children; returns the listen address of each by name. Raises ChildFailedError."""
        return await self._started(self._children)

    async def add(self, children: Sequence[Child]) -> dict[str, str]:
        """Start more children later; returns the listen address of each by name. Raises ChildFailedError."""
        new = {child.name: Supervised(child, self._listener) for child in children}
        self._children.update(new)
        return await self._started(new)

    async def _started(self, children: Mapping[str, Supervised]) -> dict[str, str]:
        self._tasks += [asyncio.create_task(child.run()) for child in children.values()]
        addresses = [child.address for child in children.values()]
        missing: set[asyncio.Future[str]] = set(addresses)
        while missing:
            waiting: list[asyncio.Future[Any]] = [*missing, *self._tasks]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done():
                    task.result()
            missing = {address for address in missing if not address.done()}
        return dict(zip(children, (address.result() for address in addresses), strict=True))

    async def stop(self) -> None:
        """Stop the first child, then all others at once, each within its grace period."""
        first, *others = self._children.values()
        await first.stop()
        await asyncio.gather(*(child.stop() for child in others))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """Kill all children at once."""
        for child in self._children.values():
            child.kill()


def listening(text: str) -> str | None:
    """Return the address in a log line ``{"event": "listening", "address": ...}``; None for every other line."""
    if '"listening"' not in text:
        return None
    try:
        line = json.loads(text)
    except ValueError:
        return None
    if not isinstance(line, dict) or line.get("event") != "listening":
        return None
    return str(line.get("address", ""))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
