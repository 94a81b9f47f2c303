"""A minimal HTTP client for the CLI: one request, the whole response. No proxy, no redirects, no cookies."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_ANSWER_LIMIT: Final = 4 * 1024 * 1024


class UnreachableError(Exception):
    """There was no usable response; the message is a short reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; ``first_byte`` is the time from the request to the first byte of the body, in seconds."""

    status: int
    body: bytes
    first_byte: float


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5.0,
    unix: str | None = None,
) -> Answer:
    """Send one request and read the response, up to 4 MiB. ``timeout`` (seconds) applies to each step.

    ``unix`` is the path of a Unix socket to use in place of the URL's address.

    Raises UnreachableError.
    """
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    with _connection(parts.scheme, parts.netloc, timeout, unix=unix) as connection:
        started = time.monotonic()
        connection.request(method, path, body=body, headers={"user-agent": "claude-gateway-cli", **(headers or {})})
        response = connection.getresponse()
        first = response.read(1)
        first_byte = time.monotonic() - started
        return Answer(status=response.status, body=first + response.read(_ANSWER_LIMIT), first_byte=first_byte)


def reachable_part(url: str) -> str:
    """Return ``host:port`` of a URL, for messages."""
    return urlsplit(url).netloc


class _UnixConnection(http.client.HTTPConnection):
    """A connection over the Unix socket at ``path``."""

    def __init__(self, host: str, path: str, *, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of the host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextmanager
def _connection(scheme: str, netloc: str, timeout: float, *, unix: str | None) -> Iterator[http.client.HTTPConnection]:
    connection: http.client.HTTPConnection | None = None
    try:
        if unix is not None:
            connection = _UnixConnection(netloc, unix, timeout=timeout)
        elif scheme == "https":
            connection = http.client.HTTPSConnection(netloc, timeout=timeout, context=ssl.create_default_context())
        else:
            connection = http.client.HTTPConnection(netloc, timeout=timeout)
        yield connection
    except TimeoutError:
        raise UnreachableError(f"no answer within {timeout:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(_reason(error)) from None
    finally:
        if connection is not None:
            connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {error}".removesuffix(": ")
