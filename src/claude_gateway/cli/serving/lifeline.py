"""Runs a module like ``python -m``, and ends it when the parent process ends.

``python -m claude_gateway.cli.serving.lifeline MODULE ARGUMENT...``: standard input is a pipe whose other end only the
parent holds. End of file means that the parent is gone, for whatever reason. Unlike PR_SET_PDEATHSIG this works on
every Unix, and the module can shut down gracefully.
"""

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

_GRACE_SECONDS: Final = 5.0
_GONE: Final = 70


def main() -> None:
    """Watch standard input in a thread, and run the module in the main thread, which receives the signals."""
    pipe = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=_end_with, args=(pipe,), name="lifeline", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(_GONE)


if __name__ == "__main__":
    main()
