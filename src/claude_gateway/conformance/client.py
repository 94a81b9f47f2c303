"""HTTP with nothing hidden: headers as given, the path as given, and every piece of the answer with its moment."""

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from claude_gateway.conformance.check import Failed, expect, shorten

TIMEOUT: Final = 20.0
"""Seconds without any sign of an answer, after which a check gives up."""

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an answer's body that came together, ``at`` seconds after the request was sent."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names in lower case. ``complete`` is False where the connection broke before its end."""

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
        """Give the answer itself if it has this status. Raises Failed."""
        expect(self.status == status, f"{self}: {status} was expected")
        return self

    def __str__(self) -> str:
        return f"{self.asked} -> {self.status} {shorten(self.body) or '(no body)'}"


class Client:
    """Calls one server; every request has a connection of its own. ``base`` may have a path prefix."""

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
        """Send a request and read the answer to its end, or as long as ``until`` is False of what came.

        Raises Failed when there is no answer.
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
        # Refused before it was read: the answer may be there already.
        return


def _read(
    response: http.client.HTTPResponse, started: float, until: Callable[[bytes], bool] | None
) -> tuple[list[Piece], bool]:
    """Give the pieces, and whether they are all."""
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
