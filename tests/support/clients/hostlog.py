"""An HTTP proxy that records every requested host, connects one of them to an upstream, and refuses the rest."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

HOST: Final = "models.example"
"""The one host that the proxy knows: no name of it is looked up."""


@dataclass(slots=True)
class HostLog:
    """A running proxy: its URL, and what was asked of it as ``METHOD host:port``, oldest first."""

    url: str
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that send a process' traffic here, all but that to this machine."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        return {
            **dict.fromkeys((*names, *map(str.lower, names)), self.url),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
        }


@contextlib.contextmanager
def host_log(upstream: str) -> Iterator[HostLog]:
    """Run the proxy; requests for ``http://models.example`` go to ``upstream``."""
    log = HostLog("")
    target = urlsplit(upstream).netloc

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, url, *_ = self.rfile.readline(65536).decode("latin-1").split()
            host = url if method == "CONNECT" else f"{urlsplit(url).hostname}:{urlsplit(url).port or 80}"
            log.asked.append(f"{method} {host}")
            headers = dict(_headers(self.rfile))
            if host != f"{HOST}:80":
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            body = self.rfile.read(int(headers.get("content-length", 0)))
            self._lead(method, url, headers, body)

        def _lead(self, method: str, url: str, headers: dict[str, str], body: bytes) -> None:
            there = HTTPConnection(target, timeout=60)
            path = urlsplit(url)._replace(scheme="", netloc="").geturl()
            there.request(method, path, body, headers)
            answer = there.getresponse()
            fields = [(name, value) for name, value in answer.getheaders() if name.lower() != "transfer-encoding"]
            lines = [f"{name}: {value}\r\n" for name, value in (*fields, ("connection", "close"))]
            self.wfile.write(f"HTTP/1.1 {answer.status} x\r\n{''.join(lines)}\r\n".encode("latin-1"))
            with contextlib.suppress(OSError):
                while piece := answer.read1():
                    self.wfile.write(piece)
            there.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        log.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield log
        server.shutdown()
        thread.join()


def _headers(lines: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if not line.strip():
            return
        name, _, value = line.decode("latin-1").partition(":")
        yield name.strip().lower(), value.strip()
