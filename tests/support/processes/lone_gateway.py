"""The gateway process alone, on bundles written by hand: for what needs neither the brain nor the other processes."""

import http.client
import json
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.processes.forked import ForkedProcess
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.report import ProcessReport
from claude_gateway.names import BUNDLE_DIR, GATEWAY_SOCKET, LITELLM_SOCKET
from claude_gateway_runtime.unixsocket import bind_unix


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class LoneGateway:
    """A context manager; settings are given without their prefix (``max_body_bytes=2048``)."""

    def __init__(self, bundle: Bundle | None = None, **settings: object) -> None:
        # Not pytest's folder: the path of a Unix socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cgw-"))
        self.bundle_dir = self.folder / BUNDLE_DIR
        self.bundle_dir.mkdir(mode=0o700)
        if bundle is not None:
            folder.write(self.bundle_dir, bundle)
        given = {"run_dir": self.folder, "listen": "127.0.0.1:0", "tls_listen": "127.0.0.1:0", **settings}
        self.environment = {f"CLAUDE_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
        self.process = ForkedProcess(
            "claude_gateway_proxy.gateway", environment=self.environment, log=self.folder / "gateway.log"
        )
        self.address = ""

    def __enter__(self) -> Self:
        try:
            self.address = self.process.listening()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove its folder."""
        self.process.stop()
        shutil.rmtree(self.folder)

    @property
    def url(self) -> str:
        """The base URL of plain HTTP."""
        return f"http://{self.address}"

    def apply(self, bundle: Bundle) -> str:
        """Write a bundle and wait until it is live; returns its revision."""
        revision = folder.write(self.bundle_dir, bundle)
        until(lambda: self.status().revision == revision, what=f"revision {revision}")
        return revision

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own, kept alive."""
        where = urlsplit(self.url)
        return http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)

    def dial(self, *, source: str = "") -> socket.socket:
        """A bare connection, for requests that no library would send; ``source`` is the address that it comes from."""
        where = urlsplit(self.url)
        return socket.create_connection((where.hostname, where.port), timeout=30, source_address=(source, 0))

    def call(self, method: str, path: str, *, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request on a connection of its own; ``body`` is bytes or becomes JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connect()
        try:
            connection.request(method, path, body=data, headers=dict(headers or {}))
            return reply(connection.getresponse())
        finally:
            connection.close()

    def internal(self, path: str) -> bytes:
        """Ask over the Unix socket, as the agent does."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / GATEWAY_SOCKET))
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n".encode())
            return read_answer(connection).body

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Let something listen in the LiteLLM worker's place, for readiness; it answers nothing."""
        path = self.folder / LITELLM_SOCKET
        with bind_unix(path):
            yield
        path.unlink()

    def status(self) -> ProcessReport:
        """What the gateway reports."""
        return ProcessReport.model_validate_json(self.internal("/status"))

    def event(self, name: str) -> dict[str, Any]:
        """Wait until this event is in the log, and return its first line."""
        return until(lambda: self.process.lines(name), what=name)[0]

    def requests(self, *, count: int, **fields: object) -> list[dict[str, Any]]:
        """Wait until so many requests (with these fields) are in the log, and give their lines."""

        def lines() -> list[dict[str, Any]]:
            found = [line for line in self.process.lines("request") if fields.items() <= line.items()]
            return found if len(found) >= count else []

        return until(lines, what=f"{count} request lines")


def read_answer(connection: socket.socket) -> Reply:
    """Read an answer from a bare connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return reply(response)


def reply(response: http.client.HTTPResponse) -> Reply:
    """Read an answer to its end."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(status=response.status, headers=headers, body=response.read())
