"""Children of one process that has imported the proxy's modules, LiteLLM among them: imports are most of a start.

Each is forked, runs the main function of its module, and has nothing of the others. How a process starts by itself is
for the tests of its start, with ``Process``.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from tests.support.processes.child import Child, Process, python

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.processes.imported"])


def started(
    module: str,
    *,
    settings: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    forked: bool = False,
    log: Path,
) -> Process:
    """Start a module of the proxy, such as ``claude_gateway_proxy.gateway``.

    It is forked, unless it has an ``environment`` beside our settings, of which libraries read parts when they are
    imported.
    """
    given = {**settings, **(environment or {})}
    if environment and not forked:
        return Process(python(module), environment=given, log=log)
    return ForkedProcess(module, environment=given, log=log)


class ForkedProcess(Process):
    """A running module of the proxy, and what it printed."""

    def __init__(self, module: str, *, environment: Mapping[str, str], log: Path | None = None) -> None:
        self._module = module
        super().__init__(python(module), environment=environment, log=log)

    def _start(self, environment: Mapping[str, str]) -> Child:
        process = _CONTEXT.Process(target=_run, args=(self._module, dict(environment), str(self.log)))
        process.start()
        return _Forked(process)


class _Forked:
    """The child, as ``subprocess.Popen`` shows one."""

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid is not None
        self.pid: Final = process.pid
        self._process = process

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        returncode = self.poll()
        if returncode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(module: str, environment: Mapping[str, str], log: str) -> None:
    """The child: its environment and its output, then the module's own main function."""
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    sys.exit(import_module(f"{module}.__main__").main())
