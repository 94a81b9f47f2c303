"""A transparent HTTP client: sends headers and path unchanged, and records each piece of the response with its time."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from claude_gateway.conformance.requirement import Failed, expect, shorten

TIMEOUT: Final = 20.0
"""Seconds without any data after which a check gives up."""

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a response body that were received together, ``at`` seconds after the request was sent."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; header names are in lower case. ``complete`` is False if the connection broke before the end."""

    asked: str
    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[Piece, ...]
    seconds: float
    complete: bool = True

    @property
    def body(self) -> bytes:
        """All pieces together."""
        return b"".join(piece.data for piece in self.pieces)

    def header(self, name: str) -> str:
        """The first value of a header; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def json(self) -> Any:
        """The body as JSON. Raises Failed."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"{self}: the body is not JSON") from None

    def expect(self, status: int) -> "Reply":
        """Return the response itself if it has this status. Raises Failed."""
        expect(self.status == status, f"{self}: expected {status}")
        return self

    def __str__(self) -> str:
        return f"{self.asked} -> {self.status} {shorten(self.body) or '(no body)'}"


class Client:
    """Calls one server, with a new connection for every request. ``base`` may have a path prefix."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.host = parts.netloc
        self.prefix = parts.path.rstrip("/")
        self._secure = parts.scheme == "https"

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        timeout: float = TIMEOUT,
        until: Callable[[bytes], bool] | None = None,
    ) -> Reply:
        """Send a request and read the response to its end, or until ``until`` returns True for the data so far.

        Raises Failed if there is no response.
        """
        asked = f"{method} {path}"
        connection = self._connection(timeout)
        try:
            started = time.monotonic()
            _send(connection, method, self.prefix + path, headers, body)
            response = connection.getresponse()
            pieces, complete = _read(response, started, until)
        except TimeoutError:
            raise Failed(f"{asked}: no answer within {timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{asked}: no answer: {type(error).__name__} {error}") from None
        finally:
            connection.close()
        found = tuple((name.lower(), value) for name, value in response.getheaders())
        spent = time.monotonic() - started
        return Reply(asked, response.status, found, tuple(pieces), seconds=spent, complete=complete)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._secure:
            return http.client.HTTPSConnection(self.host, timeout=timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(self.host, timeout=timeout)


def _send(connection: http.client.HTTPConnection, method: str, path: str, headers: Headers, body: bytes | None) -> None:
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("content-length", str(len(body)))
    try:
        connection.endheaders(body)
    except (BrokenPipeError, ConnectionResetError):
        # The server closed before it read the body; its response may have arrived already.
        return


def _read(
    response: http.client.HTTPResponse, started: float, until: Callable[[bytes], bool] | None
) -> tuple[list[Piece], bool]:
    """Return the pieces, and whether they are complete."""
    pieces: list[Piece] = []
    seen = b""
    try:
        while data := response.read1(1 << 16):
            pieces.append(Piece(time.monotonic() - started, data))
            if until is not None:
                seen += data
                if until(seen):
                    return pieces, True
    except (OSError, http.client.HTTPException):
        return pieces, False
    return pieces, not response.length
