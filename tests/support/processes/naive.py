"""A gateway as one would write it in an afternoon: the suite must see what is wrong with it."""

import http.client
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

_FIELDS: Final = ("model", "max_tokens", "messages", "system", "stream", "tools", "tool_choice")


class NaiveGateway:
    """Knows its fields, buffers answers, passes on 401, and says errors in a form of its own; a context manager."""

    def __init__(self, upstream: str, *, key: str) -> None:
        handler = type("Handler", (_Handler,), {"upstream": urlsplit(upstream).netloc, "key": key})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    upstream: str
    key: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("x-api-key") != self.key and self.headers.get("authorization") != f"Bearer {self.key}":
            self._give(401, {"detail": "bad key"})
        elif self.path.partition("?")[0] != "/v1/messages":
            self._give(404, {"detail": "Not Found"})
        else:
            self._relay(body)

    def do_GET(self) -> None:
        self.send_response(308)
        self.send_header("location", "/")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""

    def _relay(self, body: bytes) -> None:
        try:
            given = json.loads(body)
            known = {name: given[name] for name in _FIELDS if name in given}
        except (ValueError, TypeError):
            self._give(500, {"detail": "Internal Server Error"})
            return
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        headers = {"content-type": "application/json", "x-api-key": "sk-naive", "anthropic-version": "2023-06-01"}
        try:
            connection.request("POST", "/v1/messages", body=json.dumps(known), headers=headers)
            answer = connection.getresponse()
            whole = answer.read()
        except (OSError, http.client.HTTPException):
            self._give(500, {"detail": "Internal Server Error"})
            return
        finally:
            connection.close()
        self.send_response(answer.status)
        self.send_header("content-type", answer.getheader("content-type", ""))
        self.send_header("content-length", str(len(whole)))
        self.end_headers()
        self.wfile.write(whole)

    def _give(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
