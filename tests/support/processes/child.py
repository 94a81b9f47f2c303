"""Child processes of a test: started by argument list, known by their own pid, always ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from tests.support.processes.waiting import PATIENCE, until

GRACE: Final = 10.0
"""Seconds from SIGTERM to SIGKILL."""


def python(module: str, *arguments: str) -> list[str]:
    """Return the argument list that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


class Child(Protocol):
    """What is used of a child, as ``subprocess.Popen`` has it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status when it has ended. Raises TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""


class Process:
    """A running child and what it printed; a context manager that ends it.

    Output of both kinds goes to ``log``; without one, to a file that is gone once the child is stopped.
    ``environment`` is added to the parent's.
    """

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        self.arguments = list(arguments)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._kept: str | None = None
        if log is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="process-")
            log = Path(self._scratch.name) / "log"
        self.log = log
        self.log.touch()
        self._child = self._start({**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})})

    def _start(self, environment: Mapping[str, str]) -> Child:
        with self.log.open("ab") as output, _heeding_hangups():
            return subprocess.Popen(
                self.arguments, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        return self._child.poll()

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self.log.read_text(errors="replace") if self._kept is None else self._kept

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the JSON lines printed so far, those of one ``event`` if given; other lines are left out."""
        found = [line for line in map(_parsed, self.output.splitlines()) if line is not None]
        return [line for line in found if event is None or line.get("event") == event]

    def listening(self, *, timeout: float = PATIENCE) -> str:
        """Wait until it says where it listens, and return that address.

        Raises AssertionError, with its output, when it ends or stays silent.
        """

        def answer() -> list[dict[str, Any]]:
            lines = self.lines("listening")
            if not lines and self.returncode is not None:
                raise AssertionError(f"{self} ended with {self.returncode}:\n{self.output}")
            return lines

        return str(until(answer, timeout=timeout, what=f"{self} to listen")[0]["address"])

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._child.send_signal(number)

    def wait(self, *, timeout: float = PATIENCE) -> int:
        """Wait for its end, and return the exit status."""
        return self._child.wait(timeout)

    def stop(self) -> int:
        """End it: asked first, then made to. Returns the exit status."""
        if self.returncode is None:
            self._child.terminate()
            try:
                self._child.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._child.kill()
        returncode = self._child.wait()
        if self._scratch is not None and self._kept is None:
            self._kept = self.output
            self._scratch.cleanup()
        return returncode

    def __repr__(self) -> str:
        return f"{' '.join(self.arguments[1:4])} (pid {self.pid})"


@contextmanager
def _heeding_hangups() -> Iterator[None]:
    """Start a child with SIGHUP as usual, also where the tests themselves run under ``nohup``.

    Only the main thread may say so; what another one starts is as the tests are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
