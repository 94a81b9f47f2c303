"""The first process of a container. It outlives the service, so that a CLI with a rotated token outlives it, too.

The kernel kills every process of a container with the first one. A service that was killed is started again beside the
CLIs that it left, which may be about to write a login.
"""

import logging
import os
import signal
from collections.abc import Callable
from typing import Final

from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger("claude_gateway_auth.parent")
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)
_PAUSE_SECONDS: Final = 1.0


def guarded(service: Callable[[], int]) -> int:
    """Run the service in a child, again if a signal kills it, and return its exit status; pass on SIGTERM and SIGINT.

    Call it before there are threads. It returns in the child, too, with what ``service`` returned.
    """
    # Blocked, a signal waits for sigwait() even if it would be ignored.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_ENDS, signal.SIGCHLD))
    while True:
        child = os.fork()
        if child == 0:
            os.setsid()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_ENDS, signal.SIGCHLD))
            return service()
        code, asked = _ended(child)
        if code >= 0 or asked:
            return code if code >= 0 else 128 - code
        emit(_log, "service_killed", level=logging.ERROR, signal=signal.Signals(-code).name)
        if signal.sigtimedwait(_ENDS, _PAUSE_SECONDS) is not None:
            return 128 - code


def _ended(child: int) -> tuple[int, bool]:
    """Wait for the end of a child; return its status (negative: the signal) and whether it was asked to end."""
    asked = False
    while True:
        number = signal.sigwait((*_ENDS, signal.SIGCHLD))
        if number != signal.SIGCHLD:
            asked = True
            os.kill(child, number)
        elif (code := _reap(child)) is not None:
            return code, asked


def _reap(child: int) -> int | None:
    """Take the status of every process that has ended, orphans too; return the child's if it is among them."""
    found = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if process == 0:
            return found
        if process == child:
            found = os.waitstatus_to_exitcode(status)
