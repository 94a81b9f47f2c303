"""The first process of a container: what it passes on, and that it outlives the service."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_PROGRAM: Final = """
import os, sys, time
from claude_gateway_auth.parent import guarded

def serve():
    print(os.getpid(), flush=True)
    line = sys.stdin.readline().strip()
    return int(line) if line else time.sleep(60)

sys.exit(guarded(serve))
"""


@contextmanager
def parent() -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def child(process: subprocess.Popen[str]) -> int:
    """Return the service's process, as it says itself."""
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("code", [0, 2])
def test_the_status_of_the_service_is_the_parent_s(code: int) -> None:
    with parent() as process:
        child(process)
        process.communicate(f"{code}\n")
        assert process.returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on(number: signal.Signals) -> None:
    with parent() as process:
        child(process)
        process.send_signal(number)
        assert process.wait() != 0


def test_a_service_that_was_killed_is_started_again() -> None:
    with parent() as process:
        first = child(process)
        os.kill(first, signal.SIGKILL)
        assert child(process) != first
        process.communicate("0\n")
        assert process.returncode == 0
