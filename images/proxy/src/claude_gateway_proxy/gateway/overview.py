"""``python -m claude_gateway_proxy.gateway.overview``: prints the current state of this pod's gateway as JSON.

It reads the gateway's Unix socket, so only users who may run commands in the pod can see it.
"""

import http.client
import os
import socket
import sys
from pathlib import Path

from claude_gateway.contract.report import OVERVIEW_PATH
from claude_gateway.names import GATEWAY_SOCKET


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("gateway", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def main() -> int:
    """Print the overview; 1, with the reason on standard error, if the gateway does not answer."""
    connection = _Connection(Path(os.environ.get("CLAUDE_GATEWAY_RUN_DIR", ".")) / GATEWAY_SOCKET)
    try:
        connection.request("GET", OVERVIEW_PATH)
        sys.stdout.buffer.write(connection.getresponse().read())
    except OSError as error:
        print(f"the gateway does not answer: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
