"""Runs in a pod: the stand-in for Anthropic's sign-in hosts, and a port by which a test drives it.

``anthropic_hosts.py UPSTREAM CERTIFICATES``. The test asks with GET alone, which is all that the API server's proxy to
a Service offers a test: ``/approve?link=``, ``/set?answer=&lifetime=``, ``/state``.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.support.clients.anthropic_cloud import Cloud, serve

PROXY_PORT: Final = 3128
CONTROL_PORT: Final = 8000


class Control(BaseHTTPRequestHandler):
    """One question of the test."""

    cloud: Cloud

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(where.query).items()}
        found: object = {}
        if where.path == "/approve":
            found = self.cloud.approve(given["link"])
        elif where.path == "/set":
            self.cloud.answer = int(given.get("answer", self.cloud.answer))
            self.cloud.lifetime = int(given.get("lifetime", self.cloud.lifetime))
        elif where.path == "/login":
            found = self.cloud.login()
        elif where.path == "/state":
            found = {"issued": self.cloud.issued, "turns": self.cloud.turns, "asked": self.cloud.asked}
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(upstream: str, certificates: str) -> None:
    """Serve until the pod ends."""
    with serve(Cloud({}, upstream), Path(certificates), address=("", PROXY_PORT)) as (running, _):
        Control.cloud = running
        ThreadingHTTPServer(("", CONTROL_PORT), Control).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
