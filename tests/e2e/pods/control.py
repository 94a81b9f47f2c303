"""The port by which a test drives a program in a pod.

It answers GET alone, which is all that the API server's proxy to a Service offers a test.
"""

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

PORT: Final = 8000


def serve(answer: Callable[[str, Mapping[str, str]], object]) -> None:
    """Serve until the pod ends; ``answer`` maps a path and its query to what is sent as JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(where.query, keep_blank_values=True).items()}
            content = json.dumps(answer(where.path, query)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
