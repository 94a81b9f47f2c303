"""A stand-in for ``https://api.anthropic.com``: a proxy that terminates TLS with a certificate for that name alone."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.support.builders.certificates import self_signed

HOST: Final = "api.anthropic.com"


@dataclass(slots=True)
class Anthropic:
    """The running proxy: ``environment`` leads a process to it, ``asked`` are the hosts that were wanted."""

    environment: dict[str, str]
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def anthropic(upstream: str, folder: Path) -> Iterator[Anthropic]:
    """Lead requests for Anthropic to ``upstream`` (plain HTTP) and refuse every other host; ``folder`` gets files."""
    pem = folder / "anthropic.pem"
    pem.write_bytes(b"".join(self_signed(HOST)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    where = urlsplit(upstream)
    asked: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        rbufsize = 0  # not a byte of the TLS handshake may be read here

        def handle(self) -> None:
            words = self.rfile.readline(4096).split()
            while self.rfile.readline(4096).strip():
                pass
            asked.append(words[1].decode() if len(words) > 1 else "")
            if asked[-1] != f"{HOST}:443":
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with (
                contextlib.suppress(OSError),
                context.wrap_socket(self.connection, server_side=True) as client,
                socket.create_connection((where.hostname, where.port)) as there,
            ):
                back = threading.Thread(target=_pump, args=(there, client), daemon=True)
                back.start()
                _pump(client, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        environment = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": str(pem)}
        yield Anthropic(environment, asked)
        server.shutdown()
        thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
