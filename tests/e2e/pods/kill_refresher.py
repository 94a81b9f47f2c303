"""Runs in the sign-in service's container: kills the service around the moment in which a refresh token is replaced.

``kill_refresher.py KILLS``. The stand-in for Anthropic's hosts says through the egress proxy when that is.
"""

import itertools
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

MOMENTS: Final = (0.0, 0.01, 0.05, 0.3, 0.002, 0.02, 0.005, 0.03, 0.08, 0.13)
"""Seconds from the rotation to the kill: before the answer, while the CLI or the store writes, and after."""
_PATIENCE: Final = 300.0
"""Longer than a refresh that fails and the next one: the CLI has 120 s, and the wait after it is 15 s."""


def service() -> int | None:
    """Return the process of the service: the child of the container's first process, in a session of its own.

    None while it is about to be started again: a CLI outlives the service that was killed, and may refresh once more.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "stat").read_text().rpartition(")")[2].split()
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        parent, session = int(words[1]), int(words[3])
        if parent == 1 and session == int(process.name) and b"claude_gateway_auth" in line:
            return session
    return None


def main(kills: str) -> None:
    """Kill it so many times, each time in another refresh."""
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    with socket.create_connection((proxy.hostname or "", proxy.port or 0), _PATIENCE) as rotations:
        rotations.sendall(b"CONNECT rotations:443 HTTP/1.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += rotations.recv(1)
        print("watching", flush=True)
        for moment in itertools.islice(itertools.cycle(MOMENTS), int(kills)):
            while True:
                if not rotations.recv(1):
                    raise SystemExit("the stand-in ended")
                time.sleep(moment)
                found = service()
                if found is not None:
                    break
            os.kill(found, signal.SIGKILL)
            print(f"killed {moment} s after the rotation", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
