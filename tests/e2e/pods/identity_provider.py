"""Runs in a pod: the company's identity provider, and a port by which a test drives it.

``identity_provider.py ISSUER CERTIFICATES``. The test asks with GET alone: ``/sign-in?email=&groups=``,
``/confirm?url=&email=``, ``/remove?email=``, ``/state``.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests.support.clients.oidc import Provider, serve

PORT: Final = 8443
CONTROL_PORT: Final = 8000
_LIFETIME: Final = 3600


class Control(BaseHTTPRequestHandler):
    """One question of the test."""

    provider: Provider

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(where.query, keep_blank_values=True).items()}
        found: object = {}
        if where.path == "/sign-in":
            found = self.provider.sign_in(given["email"], groups=given["groups"].split())
        elif where.path == "/confirm":
            found = self.provider.confirm(given["url"], given["email"])
        elif where.path == "/remove":
            self.provider.removed.add(given["email"])
        elif where.path == "/state":
            found = list(self.provider.renewals)
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main(issuer: str, certificates: str) -> None:
    """Serve until the pod ends."""
    with serve(Provider(issuer, lifetime=_LIFETIME), Path(certificates) / "tls.pem", address=("", PORT)) as (
        running,
        _,
    ):
        Control.provider = running
        ThreadingHTTPServer(("", CONTROL_PORT), Control).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
